import type { DataType } from '../onnx/data-type.js';
import type { Model } from '../onnx/model.js';
import type { Runtime } from '../runtime/runtime.js';
import { type CutNode, ShapeInference } from './inference.js';
import { pinInputs } from './pins.js';
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
  /** Size of symbolic dims that `shapes` leaves open. Default 1. */
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
  const pins = pinInputs(model.graph, options.shapes, options.symbolicSize);
  const inference = new ShapeInference(model, runtime, pins, options.signal);
  await inference.run();
  return {
    of: (value) => inference.factOf(value)?.shape,
    dtypeOf: (value) => inference.factOf(value)?.dtype,
    inputs: pins.shapes,
    symbolic: pins.symbolic,
    unknownOps: inference.unknownOps,
    runtimeMilliseconds: inference.milliseconds,
  };
}
