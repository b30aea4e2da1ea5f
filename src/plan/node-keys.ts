import { graphAttributes } from '../onnx/attributes.js';
import type { Graph, Node } from '../onnx/model.js';

/** Where a plan file says that a node is. */
export interface NodeKey {
  /** Path of the body that holds it: `choice.then_branch`, `outer.else_branch/inner.then_branch`; '' for the main graph. */
  readonly graph: string;
  /** Name of the node, or its index where the name is empty or not unique in its graph. */
  readonly node: string | number;
}

/** The keys of all nodes of a graph and of the bodies in it, by each of their outputs; of equal names the outermost. */
export function nodeKeys(main: Graph): Map<string, NodeKey> {
  const keyByValue = new Map<string, NodeKey>();
  const pending: [path: string, graph: Graph][] = [['', main]];
  for (const [path, graph] of pending) {
    const keys = keysOf(graph.nodes);
    graph.nodes.forEach((node, index) => {
      const key = keys[index]!;
      for (const name of node.outputs)
        if (!keyByValue.has(name)) keyByValue.set(name, { graph: path, node: key });
      for (const { attribute, index: item, graph: body } of graphAttributes(node)) {
        const label = `${key}.${attribute}${item === undefined ? '' : `[${item}]`}`;
        pending.push([path === '' ? label : `${path}/${label}`, body]);
      }
    });
  }
  return keyByValue;
}

function keysOf(nodes: readonly Node[]): (string | number)[] {
  const uses = new Map<string, number>();
  for (const { name } of nodes) uses.set(name, (uses.get(name) ?? 0) + 1);
  return nodes.map(({ name }, index) => (name !== '' && uses.get(name) === 1 ? name : index));
}
