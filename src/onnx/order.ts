import { graphAttributes, withAttribute } from './attributes.js';
import { capturedNames } from './graph-index.js';
import type { Graph, Model, Node } from './model.js';

/**
 * The model with the nodes of every graph in topological order, bodies and functions too; the same model where they
 * are. Each node stays where it is unless it has to come earlier for another one that reads it. Nodes of a cycle stay.
 */
export function inOrder(model: Model): Model {
  const graph = orderedGraph(model.graph);
  const functions = model.functions.map((body) => {
    const nodes = orderedNodes(body.nodes);
    return nodes === body.nodes ? body : { ...body, nodes };
  });
  const isSame = graph === model.graph && functions.every((body, i) => body === model.functions[i]);
  return isSame ? model : { ...model, graph, functions };
}

function orderedGraph(graph: Graph): Graph {
  const nodes = orderedNodes(graph.nodes);
  return nodes === graph.nodes ? graph : { ...graph, nodes };
}

function orderedNodes(given: readonly Node[]): readonly Node[] {
  const nodes = given.map(withOrderedBodies);
  const place = new Map<string, number>();
  nodes.forEach(({ outputs }, i) => outputs.forEach((name) => name !== '' && place.set(name, i)));
  const writers = (node: Node): number[] =>
    [...node.inputs, ...capturedNames(node)].flatMap((name) => place.get(name) ?? []);
  if (nodes.every((node, i) => writers(node).every((writer) => writer < i)))
    return nodes.every((node, i) => node === given[i]) ? given : nodes;

  const order: Node[] = [];
  const state = new Uint8Array(nodes.length);
  const [open, done] = [1, 2];
  for (let start = 0; start < nodes.length; start++) {
    const stack = [start];
    for (let at = stack.at(-1); at !== undefined; at = stack.at(-1)) {
      const next = state[at] === 0 ? writers(nodes[at]!).filter((writer) => state[writer] === 0) : [];
      if (state[at] === 0) state[at] = open;
      if (next.length > 0) stack.push(...next.reverse());
      else {
        stack.pop();
        if (state[at] !== done) order.push(nodes[at]!);
        state[at] = done;
      }
    }
  }
  return order;
}

function withOrderedBodies(node: Node): Node {
  let out = node;
  for (const { attribute, index, graph } of graphAttributes(node)) {
    const ordered = orderedGraph(graph);
    if (ordered === graph) continue;
    const value = out.attributes.get(attribute)!;
    if (value.type === 'graphs')
      out = withAttribute(out, attribute, { type: 'graphs', value: value.value.with(index!, ordered) });
    else out = withAttribute(out, attribute, { type: 'graph', value: ordered });
  }
  return out;
}
