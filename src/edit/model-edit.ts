import { withoutAttribute, withAttribute } from '../onnx/attributes.js';
import { capturedNames } from '../onnx/graph-index.js';
import type { Graph, Model, Node } from '../onnx/model.js';
import type { Tensor } from '../onnx/tensor.js';
import { FreshNames } from '../onnx/names.js';
import { has } from '../ops/index.js';
import { constantNode } from '../ops/nodes.js';

/** Edits of a model's main graph, by index of its nodes; nothing changes before `apply`. */
export class ModelEdit {
  readonly names: FreshNames;
  private readonly nodes: (Node | undefined)[];
  private readonly before = new Map<number, Node[]>();
  private readonly replaced = new Map<string, Tensor>();
  private readonly added = new Map<string, Tensor>();
  /** Values that lost a reader. */
  private readonly released = new Set<string>();

  constructor(private readonly model: Model) {
    this.names = new FreshNames(model.graph);
    this.nodes = [...model.graph.nodes];
  }

  node(index: number): Node {
    return this.nodes[index]!;
  }

  setNode(index: number, node: Node): void {
    this.nodes[index] = node;
  }

  removeNode(index: number): void {
    for (const name of this.nodes[index]?.inputs ?? []) this.released.add(name);
    this.nodes[index] = undefined;
  }

  setInput(index: number, input: number, name: string): void {
    const node = this.node(index);
    const inputs = [...node.inputs];
    while (inputs.length <= input) inputs.push('');
    if (inputs[input] === name) return;
    if (inputs[input]) this.released.add(inputs[input]);
    inputs[input] = name;
    this.nodes[index] = { ...node, inputs };
  }

  /** Replaces an initializer or the value of a Constant node, under its own name. */
  replaceTensor(tensor: Tensor): void {
    this.replaced.set(tensor.name, tensor);
  }

  addTensor(tensor: Tensor): void {
    this.added.set(tensor.name, tensor);
  }

  insertBefore(index: number, nodes: readonly Node[]): void {
    this.before.set(index, [...(this.before.get(index) ?? []), ...nodes]);
  }

  /** The edited model, without the nodes and initializers whose last reader was edited away. */
  apply(): { readonly model: Model; readonly added: readonly Node[]; readonly removed: readonly Node[] } {
    const { graph } = this.model;
    // Below IR version 4 every initializer would have to be a graph input too: new ones become Constant nodes.
    const asNodes = this.model.irVersion < 4;
    const constants = asNodes ? [...this.added.values()].map(constantNode) : [];
    const nodes = [...constants];
    this.nodes.forEach((node, index) => {
      nodes.push(...(this.before.get(index) ?? []));
      if (node) nodes.push(this.withConstant(node));
    });
    const initializers = graph.initializers.map((tensor) => this.replaced.get(tensor.name) ?? tensor);
    if (!asNodes) initializers.push(...this.added.values());

    const dead = deadAfter(this.released, { ...graph, nodes, initializers });
    const old = new Set(graph.nodes.flatMap((node) => node.outputs));
    const removed = graph.nodes.filter((_, index) => !this.nodes[index]);
    return {
      model: {
        ...this.model,
        graph: {
          ...graph,
          nodes: nodes.filter((node) => !dead.nodes.has(node)),
          initializers: initializers.filter((tensor) => !dead.tensors.has(tensor)),
        },
      },
      added: nodes.filter((node) => !dead.nodes.has(node) && !node.outputs.some((name) => old.has(name))),
      removed: [...removed, ...dead.nodes],
    };
  }

  private withConstant(node: Node): Node {
    const tensor = has(node, 'literal') ? this.replaced.get(node.outputs[0]!) : undefined;
    if (!tensor) return node;
    const { value } = node.attributes.get('value') ?? {};
    const name = (value as Tensor | undefined)?.name ?? '';
    let out = node;
    for (const form of ['value_int', 'value_ints', 'value_float', 'value_floats'])
      out = withoutAttribute(out, form);
    return withAttribute(out, 'value', { type: 'tensor', value: { ...tensor, name } });
  }
}

/** What nothing reads any more once the given values have lost readers; graph inputs stay. */
function deadAfter(released: ReadonlySet<string>, graph: Graph) {
  const nodes = new Set<Node>();
  const tensors = new Set<Tensor>();
  if (released.size === 0) return { nodes, tensors };
  const readers = new Map<string, number>();
  const count = (name: string, change: number): number => {
    const now = (readers.get(name) ?? 0) + change;
    readers.set(name, now);
    return now;
  };
  const writers = new Map<string, Node>();
  for (const { name } of graph.outputs) count(name, 1);
  for (const node of graph.nodes) {
    for (const name of [...node.inputs, ...capturedNames(node)]) count(name, 1);
    for (const name of node.outputs) writers.set(name, node);
  }
  const initializers = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
  for (const { name } of graph.inputs) initializers.delete(name);
  const pending = [...released].filter((name) => name !== '' && !readers.get(name));
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const tensor = initializers.get(name);
    if (tensor) tensors.add(tensor);
    const node = writers.get(name);
    if (!node || nodes.has(node) || node.outputs.some((output) => output && readers.get(output))) continue;
    nodes.add(node);
    for (const input of [...node.inputs, ...capturedNames(node)]) {
      if (input && count(input, -1) === 0) pending.push(input);
    }
  }
  return { nodes, tensors };
}
