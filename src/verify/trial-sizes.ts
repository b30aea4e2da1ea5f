import type { Model } from '../onnx/model.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Shapes } from '../shapes/shapes.js';
import { triedSizes } from '../shapes/variation.js';
import { freeDims, movedShapes, type FreeDim, type Moves } from '../shapes/vary.js';

/**
 * The shapes that a proof is run at besides the pinned ones: sizes that rewriting never tries, each symbolic dim
 * another one. One where only batches are free; else a small one and a large one, prime where the model takes that.
 * The dense model may still not run at them: its shapes fit, its values may not.
 */
export async function trialShapes(
  dense: Model,
  shapes: Shapes,
  runtime: Runtime,
  signal?: AbortSignal,
): Promise<Shapes[]> {
  const dims = freeDims(dense, shapes);
  const turns = dims.some(({ isLeading }) => !isLeading) ? [smaller, larger] : [smaller];
  const trials = new Map<string, Shapes>();
  for (const moves of turns) {
    const moved = await movedShapes(dense, shapes, runtime, unused(moves), signal);
    if (moved) trials.set(JSON.stringify([...moved.inputs]), moved);
  }
  return [...trials.values()];
}

const smaller: Moves = ({ size, index, isLeading }) =>
  isLeading
    ? [size + 1]
    : [primeFrom(Math.ceil(0.6 * size) + 4 * index), ...multiples(size, -index - 1), size + 1];

const larger: Moves = ({ size, index, isLeading }) =>
  isLeading ? [size + 1] : [primeFrom(Math.ceil(1.2 * size) + 8 * index), ...multiples(size, index + 1)];

/** Sizes that differ by the strides that nets have, for models that take multiples only. */
function multiples(size: number, times: number): number[] {
  return [16, 32, 64, 96, 160].map((stride) => size + stride * times).filter((other) => other > 0);
}

const unused =
  (moves: Moves): Moves =>
  (dim: FreeDim) => {
    const tried = triedSizes(dim);
    return moves(dim).filter((size) => size !== dim.size && !tried.has(size));
  };

/** The smallest prime that is not below `start`. */
function primeFrom(start: number): number {
  const isPrime = (n: number): boolean => {
    for (let factor = 2; factor * factor <= n; factor++) if (n % factor === 0) return false;
    return n > 1;
  };
  let n = Math.max(2, start);
  while (!isPrime(n)) n++;
  return n;
}
