import type { AxisCoupling } from '../axes/couple.js';
import { findConstants } from '../ops/constants.js';
import type { Model } from '../onnx/model.js';
import { ModelEdit } from '../edit/model-edit.js';
import type { RewriteInput } from './input.js';
import { replaceParameters, sliceOf, type TensorSlice } from './parameters.js';
import { rewritePermutations } from './permutations.js';
import { predictShapes, projectionOf, type Projection, type ShapeOf } from '../plan/projection.js';
import { correctComputedSizes, planSizes } from './sizes.js';
import { refreshValueInfos } from './value-infos.js';

export interface RewriteResult {
  readonly model: Model;
  /** Every sliced use of a parameter, in graph order: the `tensors` of a plan file. */
  readonly tensors: readonly TensorSlice[];
  /** Labels of the nodes that had to be added or removed to keep computed sizes right. */
  readonly nodes: { readonly added: readonly string[]; readonly removed: readonly string[] };
  /** Static dims of the values that both models have, as they should be now. */
  readonly shapeOf: ShapeOf;
}

/**
 * Applies a plan: slices every parameter, and whatever holds sizes (attributes, shape operands, value_info) follows.
 * Everything else stays as it is in the file.
 * @throws PruneError `unsupported` for a size computed from symbolic dims in a way that can't be corrected.
 */
export async function rewriteModel(input: RewriteInput): Promise<RewriteResult> {
  const { analysis, masks } = input;
  const model = input.model ?? analysis.model;
  const projection = projectionOf(analysis.system, masks);
  const edit = new ModelEdit(model);
  const shapeOf = predictShapes(analysis, projection, input.shapeOf);

  const tensors = sliceParameters(analysis, projection);
  const permuted = rewritePermutations(analysis, projection, edit);
  const sizes = await planSizes(input, model, projection, edit, permuted);
  const slices = tensors.map(({ node, input, axes }) => sliceOf(node, input, axes));
  replaceParameters(model, edit, [...slices, ...sizes.literals]);
  await correctComputedSizes(input, projection, edit, sizes);

  const edited = edit.apply();
  // Constants, also under the names that Identity gives them, were sliced use by use.
  const constants = findConstants(edited.model.graph);
  const labels = (nodes: typeof edited.added): string[] => nodes.map((node) => node.name || node.outputs[0]!);
  return {
    model: { ...edited.model, graph: refreshValueInfos(edited.model.graph, analysis, projection) },
    tensors,
    nodes: { added: labels(edited.added), removed: labels(edited.removed) },
    shapeOf: (value) => constants.get(value)?.tensor.dims ?? shapeOf(value),
  };
}

function sliceParameters(analysis: AxisCoupling, projection: Projection): TensorSlice[] {
  const slices: TensorSlice[] = [];
  for (const { node, input, source, axes } of analysis.parameters) {
    const kept = new Map<number, Int32Array>();
    axes.forEach((axis, i) => {
      const indices = projection.kept(axis);
      if (indices) kept.set(i, indices);
    });
    if (kept.size > 0) slices.push({ node, input, initializer: source.name, axes: kept });
  }
  return slices;
}
