import type { Emitter } from './emitter.js';
import { range } from './rule.js';

/** Contracts one axis of a value of a shape with a constant matrix [axis, new axis], row-major. */
export function contractAlong(
  e: Emitter,
  value: string,
  shape: readonly number[],
  axis: number,
  matrix: Float32Array,
): string {
  const length = shape[axis]!;
  const last = shape.length - 1;
  const perm = range(shape.length);
  [perm[axis], perm[last]] = [last, axis];
  const moved = e.transpose(value, perm);
  const product = e.matMul(moved, e.floats(matrix, [length, matrix.length / length]));
  return e.transpose(product, perm);
}

/** Puts what was picked from distinct positions of an axis back there, with zeros elsewhere. */
export function putBack(
  e: Emitter,
  value: string,
  shape: readonly number[],
  axis: number,
  positions: readonly number[],
): string {
  const length = shape[axis]!;
  const isRun = positions.every((at, i) => at === positions[0]! + i);
  if (isRun && positions.length > 0) {
    const pads = new Array<number>(2 * shape.length).fill(0);
    pads[axis] = positions[0]!;
    pads[axis + shape.length] = length - positions[0]! - positions.length;
    return pads.every((pad) => pad === 0) ? value : e.pad(value, pads);
  }
  const zero = positions.length;
  const order = new Array<number>(length).fill(zero);
  positions.forEach((at, i) => (order[at] = i));
  const withZero = e.concat([value, e.zeros(shape.map((size, i) => (i === axis ? 1 : size)))], axis);
  return e.gather(withZero, e.ints(order), axis);
}
