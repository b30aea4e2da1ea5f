import type { Graph, Node } from '../onnx/model.js';
import type { Tensor } from '../onnx/tensor.js';

/** The nodes that the outputs depend on, in order, and the names they take from elsewhere. */
export function live(
  nodes: readonly Node[],
  outputs: readonly string[],
  initializers: readonly Tensor[],
): { nodes: Node[]; free: Set<string> } {
  const own = new Set(nodes.flatMap((node) => node.outputs));
  for (const { name } of initializers) own.add(name);
  const needed = new Set(outputs);
  const free = new Set<string>();
  const kept: Node[] = [];
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i]!;
    if (!node.outputs.some((name) => needed.has(name))) continue;
    kept.push(node);
    for (const name of node.inputs) {
      if (own.has(name)) needed.add(name);
      else if (name) free.add(name);
    }
  }
  return { nodes: kept.reverse(), free };
}

/** What no value of the graph begins with. */
export function freePrefix({ nodes, inputs, initializers }: Graph): string {
  const names = [...nodes.flatMap((node) => node.outputs), ...inputs.map(({ name }) => name), ...initializers.map(({ name }) => name)]; // prettier-ignore
  let prefix = 'gradient/';
  while (names.some((name) => name.startsWith(prefix))) prefix = `_${prefix}`;
  return prefix;
}
