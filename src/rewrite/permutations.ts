import type { AxisCoupling } from '../axes/couple.js';
import { integerTensor } from '../onnx/values.js';
import { gatherNode } from '../ops/nodes.js';
import type { ModelEdit } from '../edit/model-edit.js';
import type { Projection } from '../plan/projection.js';

/**
 * A permutation that lost positions is no longer a regular shuffle: it becomes one Gather with the order that is left.
 * Returns the nodes that went into it; those that no plan touches stay as they are.
 */
export function rewritePermutations(
  { axes, permutations, model }: AxisCoupling,
  projection: Projection,
  edit: ModelEdit,
): ReadonlySet<number> {
  const replaced = new Set<number>();
  for (const { nodes, input, output, axis, sources } of permutations) {
    const from = projection.kept(axes.get(input)![axis]!);
    const to = projection.kept(axes.get(output)![axis]!);
    // Reshapes around a Transpose also hold the sizes of the other axes; a Gather doesn't.
    const isRead = nodes.length > 1 && projection.isTouched(axes.get(input));
    if (!from && !to && !isRead) continue;
    const place = new Map<number, number>();
    (from ?? Array.from(sources.keys())).forEach((position, i) => place.set(position, i));
    const order = Array.from(to ?? sources.keys(), (position) => place.get(sources[position]!)!);
    const last = nodes.at(-1)!;
    const { name } = model.graph.nodes[last]!;
    const indices = edit.names.take(`${output}_order`);
    edit.addTensor(integerTensor(indices, order));
    for (const node of nodes) {
      edit.removeNode(node);
      replaced.add(node);
    }
    edit.setNode(last, { ...gatherNode(input, indices, axis, output), name });
  }
  return replaced;
}
