import type { Provider } from '../runtime/runtime.js';

/** The multiple that the positions of a weight's axis are kept in, by the axis' width. */
export type MultipleRule = (width: number) => number;

/**
 * Multiples at which kernels are fast: vectors of floats are 8 long in onnxruntime's blocked layout for CPUs with AVX2,
 * and half-precision tiles of tensor cores are 8 wide. A table and not a measurement, so that a plan is the same
 * everywhere; `round to auto` measures.
 */
const fast: Readonly<Record<Provider, number>> = { cpu: 8, cuda: 8, webgpu: 4 };

/** Narrower axes cost little time, and a step would be a large part of them. */
const narrow = 24;

/**
 * Rounds where that pays: not axes that are narrow, nor those of which less than half a step would go.
 * @param share of the channels that is to go, about
 */
export function fastMultiples(provider: Provider, share: number): MultipleRule {
  const multiple = fast[provider];
  return (width) => (width < narrow || share * width < multiple / 2 ? 1 : multiple);
}
