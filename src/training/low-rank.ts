import { fillNormal, randomGenerator } from '../random/random.js';
import { directParameters, type Parameters } from './parameters.js';
import type { Trainable } from './student.js';
import type { Values } from './values.js';

/** A weight as W + B·A: W [rows, columns] stays, B [rows, rank] and A [rank, columns] train. */
interface Update {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly rank: number;
  readonly first: Float32Array;
  readonly a: Float32Array;
  readonly b: Float32Array;
}

/**
 * PERP's low-rank updates (Zimmer et al., "PERP: Rethinking the Prune-Retrain Paradigm in the Era of LLMs", 2023; after Hu
 * et al., "LoRA", 2021): of each weight only W + B·A is trained, norms and biases as they are. Gradients by B and A follow
 * from that by W: ∂B = ∂W·Aᵀ, ∂A = Bᵀ·∂W. At the end the sum is one dense weight again: nothing is left of the update.
 * Weights with less than twice as many rows and columns as the rank train whole. A is drawn at random, B begins at zero.
 */
export function lowRankParameters(
  trainable: readonly Trainable[],
  values: Values,
  { rank, seed }: { readonly rank: number; readonly seed: number },
): Parameters {
  const updates = new Map<string, Update>();
  for (const { name, dims, kind } of trainable) {
    const [rows, columns] = matrixOf(dims);
    if (kind !== 'weight' || Math.min(rows, columns) < 2 * rank) continue;
    const a = fillNormal(new Float32Array(rank * columns), randomGenerator(`${seed}:low-rank:${name}`));
    for (let i = 0; i < a.length; i++) a[i]! /= Math.sqrt(columns);
    const first = values.get(name)!.slice();
    updates.set(name, { name, rows, columns, rank, first, a, b: new Float32Array(rows * rank) });
  }
  const others = directParameters(trainable.filter(({ name }) => !updates.has(name)), values); // prettier-ignore
  const own = [...updates.values()].flatMap(({ name, a, b }): [string, Float32Array][] => [
    [`${name}/A`, a],
    [`${name}/B`, b],
  ]);
  return {
    leaves: new Map([...others.leaves, ...own]),
    // What is small already need not decay.
    decays: (leaf) => others.leaves.has(leaf) && others.decays(leaf),
    pull: (gradients) => {
      const found = new Map<string, Float32Array>();
      for (const [name, gradient] of gradients) {
        const update = updates.get(name);
        if (!update) found.set(name, gradient);
        else {
          found.set(`${name}/A`, gradientOfA(update, gradient));
          found.set(`${name}/B`, gradientOfB(update, gradient));
        }
      }
      return found;
    },
    push: () => {
      for (const update of updates.values()) merge(update, values.get(update.name)!);
    },
  };
}

/** A weight as the squarest matrix that its dims in their order make. */
function matrixOf(dims: readonly number[]): [rows: number, columns: number] {
  const count = dims.reduce((a, b) => a * b, 1);
  let best: [number, number] = [1, count];
  let rows = 1;
  for (const dim of dims) {
    rows *= dim;
    if (Math.min(rows, count / rows) > Math.min(...best)) best = [rows, count / rows];
  }
  return best;
}

function gradientOfA({ rows, columns, rank, b }: Update, gradient: Float32Array): Float32Array {
  const out = new Float32Array(rank * columns);
  for (let row = 0; row < rows; row++)
    for (let k = 0; k < rank; k++) {
      const factor = b[row * rank + k]!;
      if (factor === 0) continue;
      for (let c = 0; c < columns; c++) out[k * columns + c]! += factor * gradient[row * columns + c]!;
    }
  return out;
}

function gradientOfB({ rows, columns, rank, a }: Update, gradient: Float32Array): Float32Array {
  const out = new Float32Array(rows * rank);
  for (let row = 0; row < rows; row++)
    for (let k = 0; k < rank; k++) {
      let sum = 0;
      for (let c = 0; c < columns; c++) sum += gradient[row * columns + c]! * a[k * columns + c]!;
      out[row * rank + k] = sum;
    }
  return out;
}

function merge({ rows, columns, rank, first, a, b }: Update, weight: Float32Array): void {
  weight.set(first);
  for (let row = 0; row < rows; row++)
    for (let k = 0; k < rank; k++) {
      const factor = b[row * rank + k]!;
      if (factor === 0) continue;
      for (let c = 0; c < columns; c++) weight[row * columns + c]! += factor * a[k * columns + c]!;
    }
}
