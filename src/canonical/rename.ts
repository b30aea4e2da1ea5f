import { graphAttributes, withAttribute } from '../onnx/attributes.js';
import type { Graph, Node } from '../onnx/model.js';

/** A body with the values that it defines renamed, also where bodies inside it read them. */
export function withRenamed(body: Graph, rename: (name: string) => string): Graph {
  const renamed = new Map<string, string>();
  const define = (name: string): void => {
    if (name === '' || renamed.has(name)) return;
    const other = rename(name);
    if (other !== name) renamed.set(name, other);
  };
  for (const { name } of body.initializers) define(name);
  for (const node of body.nodes) node.outputs.forEach(define);
  return renamed.size === 0 ? body : inGraph(body, renamed);
}

function inGraph(graph: Graph, renamed: ReadonlyMap<string, string>): Graph {
  const nameOf = (name: string): string => renamed.get(name) ?? name;
  const named = <T extends { readonly name: string }>(items: readonly T[]): T[] =>
    items.map((item) => (renamed.has(item.name) ? { ...item, name: nameOf(item.name) } : item));
  return {
    ...graph,
    nodes: graph.nodes.map((node) => inNode(node, renamed)),
    initializers: named(graph.initializers),
    outputs: named(graph.outputs),
    valueInfos: named(graph.valueInfos),
    quantizationAnnotations: graph.quantizationAnnotations.map((annotation) => ({
      ...annotation,
      tensorName: nameOf(annotation.tensorName),
    })),
  };
}

function inNode(node: Node, renamed: ReadonlyMap<string, string>): Node {
  const nameOf = (name: string): string => renamed.get(name) ?? name;
  let out: Node = { ...node, inputs: node.inputs.map(nameOf), outputs: node.outputs.map(nameOf) };
  for (const { attribute, index, graph } of graphAttributes(node)) {
    if (index !== undefined) continue;
    // Names that a body defines itself hide those around it.
    const own = new Set([
      ...[...graph.inputs, ...graph.initializers].map(({ name }) => name),
      ...graph.nodes.flatMap(({ outputs }) => outputs),
    ]);
    const visible = new Map([...renamed].filter(([name]) => !own.has(name)));
    if (visible.size > 0)
      out = withAttribute(out, attribute, { type: 'graph', value: inGraph(graph, visible) });
  }
  return out;
}
