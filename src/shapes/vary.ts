import { PruneError } from '../errors.js';
import type { Model } from '../onnx/model.js';
import type { Runtime } from '../runtime/runtime.js';
import { misfitOf } from './guess.js';
import { inferShapes, type Shapes } from './shapes.js';

/** A size of the graph inputs that the file leaves open; dims of one symbol are one. */
export interface FreeDim {
  /** What it is pinned to. */
  readonly size: number;
  /** Whether it is the first axis of an input: a batch, mostly. */
  readonly isLeading: boolean;
  /** Its number among those that are leading, or among those that aren't. */
  readonly index: number;
  /** Where it stands: input and axis. */
  readonly places: readonly (readonly [input: string, axis: number])[];
}

/** Other sizes of a dim, the one to try first before the others; none leaves it as it is. */
export type Moves = (dim: FreeDim) => readonly number[];

/** The free dims of a model, in the order of its inputs. */
export function freeDims({ graph }: Model, { inputs, symbolic }: Shapes): FreeDim[] {
  const declared = new Map(graph.inputs.map(({ name, type }) => [name, type]));
  const places = new Map<string, [input: string, axis: number][]>();
  for (const [input, axes] of symbolic)
    for (const axis of axes) {
      const type = declared.get(input);
      const symbol = type?.kind === 'tensor' ? type.shape?.[axis]?.value : undefined;
      const key = typeof symbol === 'string' && symbol !== '' ? symbol : `${axis} of ${input}`;
      places.set(key, [...(places.get(key) ?? []), [input, axis]]);
    }
  const counts = { leading: 0, other: 0 };
  return Array.from(places.values(), (list): FreeDim => {
    const [input, axis] = list[0]!;
    const isLeading = list.some(([, axis]) => axis === 0);
    const index = counts[isLeading ? 'leading' : 'other']++;
    return { size: inputs.get(input)![axis]!, isLeading, index, places: list };
  });
}

/**
 * The shapes of a model where its free dims have other sizes: each moves independently where the model takes that,
 * else those of one size move alike, else each that can move alone does.
 * Undefined where no dim can move, as in models that run at one size only although their inputs say otherwise.
 */
export async function movedShapes(
  model: Model,
  shapes: Shapes,
  runtime: Runtime,
  moves: Moves,
  signal?: AbortSignal,
): Promise<Shapes | undefined> {
  const candidates = new Map(freeDims(model, shapes).map((dim) => [dim, moves(dim)]));
  for (const [dim, sizes] of candidates) if (sizes.length === 0) candidates.delete(dim);
  const dims = [...candidates.keys()];
  if (dims.length === 0) return undefined;
  const rounds = Math.max(...Array.from(candidates.values(), ({ length }) => length));
  const sizeIn = (round: number, dim: FreeDim): number => {
    const sizes = candidates.get(dim)!;
    return sizes[Math.min(round, sizes.length - 1)]!;
  };
  const misfit = misfitOf(model.graph, (value) => shapes.of(value));
  const at = async (sizes: ReadonlyMap<FreeDim, number>): Promise<Shapes | undefined> => {
    try {
      const moved = await inferShapes(model, runtime, { shapes: inputsAt(shapes, sizes), signal });
      const isWhole = moved.unknownOps.length <= shapes.unknownOps.length;
      const fits = misfit !== undefined || misfitOf(model.graph, (value) => moved.of(value)) === undefined;
      return isWhole && fits ? moved : undefined;
    } catch (error) {
      if (!(error instanceof PruneError) || error.code === 'aborted') throw error;
      return undefined;
    }
  };

  const alike = (dim: FreeDim): FreeDim =>
    dims.find(({ size, isLeading }) => size === dim.size && isLeading === dim.isLeading)!;
  for (const leader of [(dim: FreeDim) => dim, alike])
    for (let round = 0; round < rounds; round++) {
      const moved = await at(new Map(dims.map((dim) => [dim, sizeIn(round, leader(dim))])));
      if (moved) return moved;
    }
  let found: Shapes | undefined;
  const taken = new Map<FreeDim, number>();
  for (const dim of dims)
    for (const size of candidates.get(dim)!) {
      const moved = await at(new Map([...taken, [dim, size]]));
      if (!moved) continue;
      found = moved;
      taken.set(dim, size);
      break;
    }
  return found;
}

function inputsAt(
  { inputs }: Shapes,
  sizes: ReadonlyMap<FreeDim, number>,
): Record<string, readonly number[]> {
  const dims = new Map(Array.from(inputs, ([name, shape]) => [name, [...shape]]));
  for (const [{ places }, size] of sizes) for (const [input, axis] of places) dims.get(input)![axis] = size;
  return Object.fromEntries(dims);
}
