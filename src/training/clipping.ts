/** The l2 norm of all gradients as one vector. */
export function gradientNorm(gradients: Iterable<Float32Array>): number {
  let squares = 0;
  for (const gradient of gradients) for (let i = 0; i < gradient.length; i++) squares += gradient[i]! ** 2;
  return Math.sqrt(squares);
}

/**
 * Scales all gradients, in place, so that their common norm is at most `limit` (Pascanu et al., "On the difficulty of
 * training recurrent neural networks", 2013).
 * @returns the norm before
 */
export function clipGradients(gradients: ReadonlyMap<string, Float32Array>, limit: number): number {
  const norm = gradientNorm(gradients.values());
  if (norm <= limit) return norm;
  const factor = limit / norm;
  for (const gradient of gradients.values()) for (let i = 0; i < gradient.length; i++) gradient[i]! *= factor;
  return norm;
}
