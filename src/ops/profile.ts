/**
 * Whether an op of a runtime's profile is a contraction. Profiles name ops without their domain, and hold fused and
 * quantized kernels (`FusedConv`, `MatMulNBits`) that no file does, so this goes by the name.
 */
export function isContractionKernel(opType: string): boolean {
  return /conv|matmul|gemm|attention|lstm|gru|rnn|einsum/i.test(opType);
}
