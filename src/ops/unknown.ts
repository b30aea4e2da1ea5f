/** Why an op of which nothing is known is like that, as far as its name tells. */
export function whyUnknown(name: string): string {
  const unknown = 'no rule is known for this op';
  if (name.startsWith('com.microsoft.nchwc::'))
    return `${unknown}: onnxruntime laid it out for one processor`;
  if (/^com\.microsoft::.*Quant/.test(name)) return `${unknown}: it computes with quantized numbers`;
  return unknown;
}
