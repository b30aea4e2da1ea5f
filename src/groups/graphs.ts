import { Graph, json } from '@dagrejs/graphlib';
import { nodeLabel } from '../onnx/names.js';
import { capturedNames } from '../onnx/graph-index.js';
import type { Model } from '../onnx/model.js';
import type { Grouping } from './group.js';

/** What stands on a vertex of the exported graphs. */
export interface VertexLabel {
  readonly kind: 'op' | 'input' | 'output' | 'group' | 'tensor';
  readonly label: string;
}

/** Edges of the computational graph carry value names, those of the coupling graph `role@axis`. */
export type LabelledGraph = Graph<{ name: string }, VertexLabel, string>;

/** Ops, graph inputs and outputs as vertices; an edge for each value that flows from one to another. */
export function computationalGraph({ graph: { name, nodes, inputs, outputs } }: Model): LabelledGraph {
  const graph: LabelledGraph = new Graph({ directed: true, multigraph: true });
  graph.setGraph({ name });
  const producer = new Map<string, string>();
  for (const { name: value } of inputs) {
    graph.setNode(`input:${value}`, { kind: 'input', label: value });
    producer.set(value, `input:${value}`);
  }
  nodes.forEach((node, i) => {
    const vertex = `op:${i}`;
    graph.setNode(vertex, { kind: 'op', label: `${node.opType} ${nodeLabel(node, i)}` });
    for (const value of new Set([...node.inputs, ...capturedNames(node)])) {
      const from = producer.get(value);
      if (from) graph.setEdge(from, vertex, value, value);
    }
    for (const value of node.outputs) if (value) producer.set(value, vertex);
  });
  for (const { name: value } of outputs) {
    graph.setNode(`output:${value}`, { kind: 'output', label: value });
    const from = producer.get(value);
    if (from) graph.setEdge(from, `output:${value}`, value, value);
  }
  return graph;
}

/** Groups and parameters as vertices; an edge for each axis of a parameter that carries a group's factor. */
export function couplingGraph({ groups }: Grouping): LabelledGraph {
  const graph: LabelledGraph = new Graph({ directed: false, multigraph: true });
  graph.setGraph({ name: 'coupling' });
  for (const group of groups) {
    graph.setNode(group.id, { kind: 'group', label: `${group.id} ${group.name} ×${group.size}` });
    for (const { parameter, axis, role } of group.members) {
      const tensor = `tensor:${parameter.source.name}`;
      if (!graph.hasNode(tensor)) graph.setNode(tensor, { kind: 'tensor', label: parameter.source.name });
      graph.setEdge(group.id, tensor, `${role}@${axis}`, `${parameter.node}:${axis}`);
    }
  }
  return graph;
}

/** The graph in graphlib's JSON form. */
export function toJson(graph: LabelledGraph): object {
  return json.write(graph);
}

const shapes = { op: 'box', input: 'cds', output: 'cds', group: 'ellipse', tensor: 'note' } as const;

/** The graph in the DOT language, for Graphviz. */
export function toDot(graph: LabelledGraph): string {
  const quote = (text: string): string => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
  const arrow = graph.isDirected() ? '->' : '--';
  const lines = [`${graph.isDirected() ? 'digraph' : 'graph'} ${quote(graph.graph().name)} {`];
  for (const vertex of graph.nodes()) {
    const { kind, label } = graph.node(vertex);
    lines.push(`  ${quote(vertex)} [shape=${shapes[kind]}, label=${quote(label)}];`);
  }
  for (const edge of graph.edges())
    lines.push(`  ${quote(edge.v)} ${arrow} ${quote(edge.w)} [label=${quote(graph.edge(edge) ?? '')}];`);
  return [...lines, '}', ''].join('\n');
}
