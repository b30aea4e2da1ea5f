import picomatch from 'picomatch';
import { admitModel, admitOps } from './admission.js';
import type { ValueFacts } from '../axes/context.js';
import type { AxisCoupling } from '../axes/couple.js';
import { coupleAxes } from '../axes/couple.js';
import { findConstants } from '../ops/constants.js';
import { costModel, type CostModel } from '../cost/cost.js';
import { PruneError, throwIfAborted } from '../errors.js';
import { buildGroups } from '../groups/build.js';
import type { Grouping } from '../groups/group.js';
import { isFloat } from '../onnx/data-type.js';
import { opsetOf } from '../onnx/domain.js';
import { inlineFunctions } from '../canonical/inline.js';
import type { Model } from '../onnx/model.js';
import { parameterOf } from '../ops/parameters.js';
import { elementCount, type Tensor } from '../onnx/tensor.js';
import { floatsOf, integersOf } from '../onnx/values.js';
import type { AnalyzeOptions } from '../options/analyze.js';
import type { Runtime } from '../runtime/runtime.js';
import { evaluateConstants } from '../shapes/evaluate.js';
import { inferShapes, type Shapes } from '../shapes/shapes.js';
import { checkRules, checkTaught } from './taught-rules.js';
import { hasBranches, canonicalize, type CanonicalForm } from '../canonical/canonicalize.js';
import { foldWeights } from '../canonical/weights.js';

/** Everything that is known of a model before anything is removed. */
export interface Analysis {
  /** With its own functions inlined where that is plain, and unfolded: not in the form of the file. */
  readonly model: Model;
  /** The form of the file, for the model and what is made of it (pruned, with other weights), and back. */
  readonly canonical: CanonicalForm;
  readonly shapes: Shapes;
  readonly axes: AxisCoupling;
  readonly grouping: Grouping;
  readonly cost: CostModel;
  readonly runtime: Runtime;
  /** What was wrong with the model and could be mended. */
  readonly warnings: readonly string[];
  /** Milliseconds: `shapes` is spent in onnxruntime, `axes` is our own part. */
  readonly timings: { readonly shapes: number; readonly axes: number };
}

/**
 * Shapes, axes, groups and costs of a model.
 * @throws PruneError `invalid-file` for a graph that doesn't hang together, `invalid-option` for shapes or rules that
 *   don't fit, `runtime` if onnxruntime can't load it.
 */
export async function analyze(
  given: Model,
  options: AnalyzeOptions & { readonly runtime: Runtime },
): Promise<Analysis> {
  const { runtime, signal, onProgress } = options;
  const admitted = admitModel(given, options.shapes);
  const start = performance.now();
  const plain = await foldWeights(inlineFunctions(admitted.model), runtime);
  onProgress?.({ phase: 'shapes', done: 0, total: 1 });
  const infer = (whole: Model, sizes = options.shapes): Promise<Shapes> =>
    inferShapes(whole, runtime, { ...(sizes && { shapes: sizes }), signal });
  const opening = hasBranches(plain) ? { shapes: await infer(plain), runtime, signal } : undefined;
  const canonical = await canonicalize(plain, opening);
  const { model } = canonical;
  const shapes = await infer(
    model,
    opening && { ...options.shapes, ...Object.fromEntries(opening.shapes.inputs) },
  );
  admitOps(model, shapes, runtime);
  checkRules(model, options.axisRules);
  const facts = await valueFacts(model, runtime, shapes);
  throwIfAborted(signal);
  onProgress?.({ phase: 'shapes', done: 1, total: 1 });

  const shaped = performance.now();
  onProgress?.({ phase: 'axes', done: 0, total: 1 });
  const axes = coupleAxes(model, facts, {
    ...(options.axisRules && { rules: options.axisRules }),
    ...(options.allowIo && { allowIo: ioFilter(options.allowIo) }),
  });
  checkTaught(axes, options.axisRules);
  const grouping = buildGroups(axes);
  const cost = costModel(grouping);
  onProgress?.({ phase: 'axes', done: 1, total: 1 });
  const timings = { shapes: shaped - start, axes: performance.now() - shaped };
  return { model, canonical, shapes, axes, grouping, cost, runtime, warnings: admitted.warnings, timings };
}

/** Computed integer vectors longer than this are data, not shapes or indices that a rule reads. */
const maxShapeElements = 1024;

async function valueFacts(model: Model, runtime: Runtime, shapes: Shapes): Promise<ValueFacts> {
  const sources = findConstants(model.graph);
  const opset = opsetOf(model);
  const wanted = new Set<string>();
  for (const node of model.graph.nodes) {
    const scales = parameterOf(node, opset, 'scales');
    node.inputs.forEach((value, input) => {
      const isScale = scales.source === 'input' && scales.index === input;
      if (!sources.has(value) && (isScale || isShapeLike(shapes, value))) wanted.add(value);
    });
  }
  const computed = await evaluateConstants(model, runtime, (value) => knownShape(shapes, value), wanted);
  const known = new Map<Tensor, readonly number[] | undefined>();
  const numbers = (tensor: Tensor): readonly number[] | undefined => {
    if (!known.has(tensor)) known.set(tensor, numbersOf(tensor));
    return known.get(tensor);
  };
  return {
    shapeOf: (value) => shapes.of(value),
    numbersOf: (value) => {
      const tensor = sources.get(value)?.tensor ?? computed.get(value);
      return tensor && numbers(tensor);
    },
  };
}

function numbersOf(tensor: Tensor): readonly number[] | undefined {
  if (isInteger(tensor.dtype)) return integersOf(tensor);
  const isSmall = elementCount(tensor.dims) <= maxShapeElements;
  return isSmall && isFloat(tensor.dtype) ? Array.from(floatsOf(tensor)) : undefined;
}

function isShapeLike(shapes: Shapes, value: string): boolean {
  if (!value || !isInteger(shapes.dtypeOf(value))) return false;
  const shape = knownShape(shapes, value);
  return shape !== undefined && elementCount(shape) <= maxShapeElements;
}

function isInteger(dtype: Tensor['dtype'] | undefined): boolean {
  return dtype === 'int64' || dtype === 'int32';
}

function knownShape(shapes: Shapes, value: string): readonly number[] | undefined {
  const shape = shapes.of(value);
  return shape?.every((dim) => dim !== undefined) ? shape : undefined;
}

/** `past_*:1` frees axis 1 of every graph input and output whose name matches. */
function ioFilter(patterns: readonly string[]): (value: string, axis: number) => boolean {
  const filters = patterns.map((pattern) => {
    const match = /^(.+):(\d+)$/.exec(pattern);
    if (!match)
      throw new PruneError(
        'invalid-option',
        `invalid allow-io '${pattern}': write it as NAME:AXIS, e.g. 'past_*:1'`,
      );
    return { matches: picomatch(match[1]!, { bash: true }), axis: Number(match[2]) };
  });
  return (value, axis) => filters.some((filter) => filter.axis === axis && filter.matches(value));
}
