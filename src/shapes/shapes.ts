import type { DataType } from '../onnx/data-type.js';
import { PruneError } from '../errors.js';
import type { Model } from '../onnx/model.js';
import type { Runtime } from '../runtime/runtime.js';
import { type CutNode, ShapeInference } from './inference.js';
import { leadingOf, sizeGuesses, misfitOf, type SizeGuess } from './guess.js';
import { pinInputs, type Pins } from './pins.js';
import type { Dims } from './session-model.js';

export interface Shapes {
  /** Static dims of a value under the pinned inputs; undefined = unknown rank; an entry is undefined where it depends on data. */
  of(value: string): Dims | undefined;
  dtypeOf(value: string): DataType | undefined;
  /** Pinned shape of every graph input (not initializers). */
  readonly inputs: ReadonlyMap<string, readonly number[]>;
  /** Inputs whose file shape has symbolic dims: input -> axes. */
  readonly symbolic: ReadonlyMap<string, readonly number[]>;
  /** Nodes that onnxruntime can't load; their outputs are shaped by value_info or not at all. */
  readonly unknownOps: readonly CutNode[];
  /** Milliseconds spent inside onnxruntime. */
  readonly runtimeMilliseconds: number;
}

export interface ShapeOptions {
  /**
   * Shapes of graph inputs, instead of those in the file; static dims may be changed too. A value that a node
   * unknown to onnxruntime writes can be given a shape as well.
   */
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
  /** Size of all symbolic dims that `shapes` leaves open. Default: 1 for batches, usual sizes for the rest (`sizeGuesses`). */
  readonly symbolicSize?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Static shapes and dtypes of every value of the main graph, from onnxruntime's own shape inference: all values become
 * outputs of a session without weights, and its metadata is read. Values inside If and Loop bodies are not covered.
 * @throws PruneError `invalid-option` for shapes that don't fit the model, `aborted`.
 */
export async function inferShapes(
  model: Model,
  runtime: Runtime,
  options: ShapeOptions = {},
): Promise<Shapes> {
  const { pins, inference } = await infer(model, runtime, options);
  return {
    of: (value) => inference.factOf(value)?.shape,
    dtypeOf: (value) => inference.factOf(value)?.dtype,
    inputs: pins.shapes,
    symbolic: pins.symbolic,
    unknownOps: inference.unknownOps,
    runtimeMilliseconds: inference.milliseconds,
  };
}

/**
 * Static shapes that hold at every size of the symbolic dims, of which none is pinned: an entry is undefined where it
 * may depend on them.
 * @param pinned shapes of the model at one size
 */
export async function inferOpenShapes(
  model: Model,
  runtime: Runtime,
  pinned: Shapes,
  signal?: AbortSignal,
): Promise<Shapes> {
  const { symbolic } = pinned;
  const shapes = new Map(
    Array.from(pinned.inputs, ([name, shape]): [string, Dims] => {
      const free = symbolic.get(name) ?? [];
      return [name, shape.map((size, axis) => (free.includes(axis) ? undefined : size))];
    }),
  );
  const inference = new ShapeInference(
    model,
    runtime,
    { shapes, symbolic, symbols: new Map(), hints: new Map() },
    signal,
  );
  await inference.run();
  return { ...pinned, of: (value) => inference.factOf(value)?.shape };
}

/** Without a size for all, guesses are tried until one fits; the last one tells what is wrong. */
async function infer(
  model: Model,
  runtime: Runtime,
  { shapes, symbolicSize, signal }: ShapeOptions,
): Promise<{ pins: Pins; inference: ShapeInference }> {
  if (symbolicSize !== undefined && !(Number.isSafeInteger(symbolicSize) && symbolicSize > 0))
    throw new PruneError('invalid-option', `invalid symbolic size: ${symbolicSize}; use a positive integer`);
  const guesses = symbolicSize === undefined ? sizeGuesses(model.graph) : [() => symbolicSize];
  const candidates = new Map<string, { pins: Pins; guess: SizeGuess }>();
  const add = (guess: SizeGuess): void => {
    const pins = pinInputs(model.graph, shapes, guess);
    const key = JSON.stringify([...pins.shapes]);
    if (!candidates.has(key)) candidates.set(key, { pins, guess });
  };
  for (const guess of guesses) add(guess);
  let milliseconds = 0;
  let misfit: unknown;
  let doubtful: { pins: Pins; inference: ShapeInference } | undefined;
  // More are added on the way.
  for (const { pins, guess } of candidates.values()) {
    const inference = new ShapeInference(model, runtime, pins, signal);
    try {
      await inference.run();
    } catch (error) {
      if (!(error instanceof PruneError && error.code === 'invalid-option')) throw error;
      milliseconds += inference.milliseconds;
      misfit = error;
      continue;
    }
    milliseconds = inference.milliseconds += milliseconds;
    const times = misfitOf(model.graph, (value) => inference.factOf(value)?.shape);
    if (times === undefined) return { pins, inference };
    doubtful ??= { pins, inference };
    if (symbolicSize === undefined && Number.isInteger(times)) add(leadingOf(times, guess));
  }
  if (doubtful) return doubtful;
  throw misfit;
}
