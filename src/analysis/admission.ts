import { PruneError } from '../errors.js';
import { checkOpset, opsetOf } from '../onnx/domain.js';
import { withImports } from '../onnx/imports.js';
import type { Model } from '../onnx/model.js';
import { inOrder } from '../onnx/order.js';
import { validateModel } from '../onnx/validate.js';
import { ops } from '../ops/index.js';
import type { AnalyzeOptions } from '../options/analyze.js';
import type { Runtime } from '../runtime/runtime.js';
import { readRefusal } from '../shapes/failures.js';
import type { Shapes } from '../shapes/shapes.js';

/** Largest number of elements a JavaScript array can hold, so the most that can be fed. */
const maxElements = 2 ** 32 - 1;

export interface AdmittedModel {
  /** With its nodes in topological order and an import for each of their domains. */
  readonly model: Model;
  /** What was mended. */
  readonly warnings: readonly string[];
}

/**
 * Mends what only looks wrong, and refuses what must not reach onnxruntime, which can crash on a malformed graph.
 * @throws PruneError `invalid-file` for a graph that is no valid ONNX; `unsupported` for opsets before 7 and for inputs
 *   whose sizes overflow.
 */
export function admitModel(given: Model, shapes: AnalyzeOptions['shapes'] = {}): AdmittedModel {
  const { model, warnings } = withImports(inOrder(given));
  checkOpset(model);
  const problem = validateModel(model).find(({ fatal }) => fatal);
  if (problem)
    throw new PruneError('invalid-file', `the model is not valid: ${problem.message}; export it again`);
  for (const { name, type } of model.graph.inputs) {
    const stated = type?.kind === 'tensor' ? type.shape?.map(({ value }) => value) : undefined;
    const dims = Object.hasOwn(shapes, name) ? shapes[name]! : (stated ?? []);
    const known = dims.filter((dim) => typeof dim === 'number');
    if (known.reduce((count, dim) => count * dim, 1) > maxElements)
      throw new PruneError(
        'unsupported',
        `input '${name}' of shape [${dims.join(', ')}] has more elements than can be fed; give a smaller shape with --shape`,
      );
  }
  return { model, warnings };
}

/**
 * Custom ops can be cut around, in whatever domain: one of the default domain that no opset has is a custom op too, as
 * plugins of TensorRT are. But a standard op that onnxruntime doesn't know means that it doesn't know the opset, and one
 * that it can't set up means that the machine lacks something, such as a locale.
 * @throws PruneError `unsupported`
 */
export function admitOps(model: Model, { unknownOps }: Shapes, { name, version }: Runtime): void {
  const unknown = unknownOps.find(({ op }) => ops.has(op));
  if (!unknown) return;
  if (readRefusal(unknown.reason).kind !== 'unknown-op')
    throw new PruneError(
      'unsupported',
      `${name} ${version} refuses node '${unknown.node}' (${unknown.op}): ${unknown.reason}`,
    );
  throw new PruneError(
    'unsupported',
    `${name} ${version} doesn't know op ${unknown.op} of opset ${opsetOf(model)}; convert the model to an opset it supports`,
  );
}
