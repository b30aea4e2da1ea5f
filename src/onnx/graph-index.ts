import { graphAttributes } from './attributes.js';
import type { Graph, Node } from './model.js';
import type { Tensor } from './tensor.js';

export interface Production {
  readonly node: Node;
  /** Position of the node in `graph.nodes`. */
  readonly index: number;
  readonly output: number;
}

export interface Consumption {
  readonly node: Node;
  readonly index: number;
  /** Position among the node's inputs; -1 if a body inside the node captures the value. */
  readonly input: number;
}

/** Who makes and who uses each value of one graph (not of the bodies inside it). */
export interface GraphIndex {
  readonly producer: ReadonlyMap<string, Production>;
  /** In node order; a value used twice by a node is listed twice. Values without use aren't listed. */
  readonly consumers: ReadonlyMap<string, readonly Consumption[]>;
  readonly initializers: ReadonlyMap<string, Tensor>;
  /** Graph inputs, initializers that are also inputs included. */
  readonly inputs: ReadonlySet<string>;
  readonly outputs: ReadonlySet<string>;
  /** Names captured by the bodies of each node that has any. */
  readonly captured: ReadonlyMap<Node, readonly string[]>;
}

const known = new WeakMap<Graph, GraphIndex>();

/** The index of a graph, made once. */
export function indexGraph(graph: Graph): GraphIndex {
  let index = known.get(graph);
  if (!index) known.set(graph, (index = indexOf(graph)));
  return index;
}

function indexOf(graph: Graph): GraphIndex {
  const producer = new Map<string, Production>();
  const consumers = new Map<string, Consumption[]>();
  const captured = new Map<Node, readonly string[]>();
  const consume = (name: string, use: Consumption): void => {
    if (name === '') return;
    const uses = consumers.get(name);
    if (uses) uses.push(use);
    else consumers.set(name, [use]);
  };
  graph.nodes.forEach((node, index) => {
    node.inputs.forEach((name, input) => consume(name, { node, index, input }));
    const names = capturedNames(node);
    if (names.length > 0) captured.set(node, names);
    for (const name of names) consume(name, { node, index, input: -1 });
    node.outputs.forEach((name, output) => {
      if (name !== '') producer.set(name, { node, index, output });
    });
  });
  return {
    producer,
    consumers,
    initializers: new Map(graph.initializers.map((tensor) => [tensor.name, tensor])),
    inputs: new Set(graph.inputs.map(({ name }) => name)),
    outputs: new Set(graph.outputs.map(({ name }) => name)),
    captured,
  };
}

/**
 * Names that the bodies of a node (If, Loop, Scan, at any depth) use from the graphs around them,
 * each once, in order of first use.
 */
export function capturedNames(node: Node): string[] {
  const names = new Set<string>();
  for (const { graph } of graphAttributes(node)) for (const name of freeNames(graph)) names.add(name);
  return [...names];
}

/** Names that a graph uses and doesn't define. */
export function freeNames(graph: Graph): Set<string> {
  const free = new Set<string>();
  // A stack of open graphs, since bodies may be nested deeply.
  interface Open {
    readonly graph: Graph;
    readonly defined: ReadonlySet<string>;
    readonly outer: Open | undefined;
  }
  const stack: Open[] = [{ graph, defined: definedNames(graph), outer: undefined }];
  for (let open = stack.pop(); open; open = stack.pop()) {
    const use = (name: string): void => {
      if (name === '') return;
      for (let scope: Open | undefined = open; scope; scope = scope.outer)
        if (scope.defined.has(name)) return;
      free.add(name);
    };
    for (const node of open.graph.nodes) {
      node.inputs.forEach(use);
      for (const { graph: body } of graphAttributes(node))
        stack.push({ graph: body, defined: definedNames(body), outer: open });
    }
    for (const { name } of open.graph.outputs) use(name);
  }
  return free;
}

function definedNames(graph: Graph): Set<string> {
  const names = new Set<string>();
  for (const { name } of graph.inputs) names.add(name);
  for (const { name } of graph.initializers) names.add(name);
  for (const { name } of graph.sparseInitializers) names.add(name);
  for (const { outputs } of graph.nodes) for (const name of outputs) names.add(name);
  return names;
}
