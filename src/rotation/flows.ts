import type { Axis, Factor } from '../axes/axis.js';
import type { ParameterUse } from '../axes/couple.js';
import { findConstants, type ConstantSource } from '../ops/constants.js';
import type { Grouping, PruningGroup } from '../groups/group.js';
import { indexGraph, type GraphIndex } from '../onnx/graph-index.js';
import type { Node } from '../onnx/model.js';
import { has, operandOf } from '../ops/index.js';
import { findLayers, type FollowedLayer } from '../layers/find.js';
import type { Flow, ProductUse } from '../rotation/flow.js';

/** All linear flows of a model's groups, in graph order. */
export function findFlows(grouping: Grouping): Flow[] {
  return new FlowFinder(grouping).run();
}

/** One factor on one value. Flows are sets of them. */
type Key = string;

interface Found {
  readonly group: PruningGroup;
  readonly writers: FollowedLayer[];
  readonly readers: FollowedLayer[];
  readonly products: ProductUse[];
  readonly passes: Set<number>;
}

class FlowFinder {
  private readonly index: GraphIndex;
  private readonly sources: ReadonlyMap<string, ConstantSource>;
  private readonly layers = new Map<number, FollowedLayer>();
  /** Nodes that only add a layer's bias, or normalise its output by statistics of their own. */
  private readonly sinks = new Set<number>();
  private readonly uses = new Map<string, ParameterUse>();
  private readonly eligible = new Map<Factor, PruningGroup>();
  private readonly carriedBy = new Map<string, ReadonlySet<Factor>>();
  private readonly parents = new Map<Key, Key>();
  private readonly refused = new Set<Key>();
  private readonly writes: [Key, FollowedLayer][] = [];
  private readonly reads: [Key, FollowedLayer][] = [];
  private readonly products: [Key, ProductUse][] = [];
  private readonly passed: [Key, number][] = [];

  constructor(private readonly grouping: Grouping) {
    const { model, parameters } = grouping.analysis;
    this.index = indexGraph(model.graph);
    this.sources = findConstants(model.graph);
    for (const layer of findLayers(model).layers) {
      const isPlain = !layer.recurrence && !layer.transposed && layer.groups === 1;
      if (!isPlain || layer.weight.tensor.dtype !== 'float32') continue;
      this.layers.set(layer.node, layer);
      if (layer.bias?.kind === 'add' || layer.bias?.kind === 'mean') this.sinks.add(layer.bias.node);
    }
    for (const use of parameters) this.uses.set(`${use.node} ${use.input}`, use);
    for (const group of grouping.groups)
      if (!group.pinned && !group.grouped && group.normalizedBy.length === 0)
        this.eligible.set(group.factor, group);
  }

  run(): Flow[] {
    const { nodes, inputs, outputs } = this.grouping.analysis.model.graph;
    for (const { name } of [...inputs, ...outputs])
      for (const factor of this.carried(name)) this.refused.add(keyOf(factor, name));
    nodes.forEach((node, i) => this.visit(node, i));
    return this.collect();
  }

  private visit(node: Node, index: number): void {
    const values = [...new Set([...node.inputs, ...node.outputs])];
    for (const factor of new Set(values.flatMap((value) => [...this.carried(value)]))) {
      const isOn = (value: string): boolean => this.carried(value).has(factor);
      const [ins, outs] = [node.inputs.filter(isOn), node.outputs.filter(isOn)];
      if (has(node, 'sizes')) continue;
      const isSound = !this.index.captured.has(node) && this.follow(node, index, factor, ins, outs);
      if (!isSound) for (const value of [...ins, ...outs]) this.refused.add(keyOf(factor, value));
    }
  }

  /** Records what a node does to a factor; false if that is not linear, or not known to be. */
  private follow(
    node: Node,
    index: number,
    factor: Factor,
    ins: readonly string[],
    outs: readonly string[],
  ): boolean {
    if (node.domain !== '') return false;
    const layer = this.layers.get(index);
    if (layer) return this.followLayer(layer, factor, ins, outs);
    const pass = (): boolean => {
      if (ins.length === 0 || outs.length === 0) return false;
      const [first] = ins as [string];
      for (const value of [...ins, ...outs]) this.join(keyOf(factor, first), keyOf(factor, value));
      this.passed.push([keyOf(factor, first), index]);
      return true;
    };
    if (this.sinks.has(index)) return ins.length === 1 && pass();
    const others = node.inputs.filter((value) => value !== '' && !ins.includes(value));
    if (has(node, 'adds', 'joins')) return others.length === 0 && pass();
    if (has(node, 'scales')) {
      const scaled = ins.length === 1 && others.length === 1 && ins[0] !== others[0];
      const isDivisor = ins[0] === operandOf(node, 'divisor');
      return scaled && !isDivisor && !this.isParameterOn(factor, index, node, others[0]!) && pass();
    }
    if (has(node, 'multiplies')) return this.followProduct(node, index, factor, ins, outs, pass);
    // An average is taken over axes other than that of the channels.
    if (!has(node, 'moves', 'averages') || ins.some((value) => value !== node.inputs[0])) return false;
    // What is cut off, or not picked, is read nowhere.
    return (outs.length === 0 && has(node, 'picks')) || pass();
  }

  private followLayer(
    layer: FollowedLayer,
    factor: Factor,
    ins: readonly string[],
    outs: readonly string[],
  ): boolean {
    const use = this.uses.get(`${layer.node} ${layer.weightInput}`);
    if (!use) return false;
    const isOn = (axis: number): boolean => this.factorsOf(use.axes[axis]!).has(factor);
    if (ins.length > 0 && !(ins.length === 1 && ins[0] === layer.x && isOn(layer.inputAxis))) return false;
    if (outs.length > 0 && !isOn(layer.outputAxis)) return false;
    if (ins.length > 0) this.reads.push([keyOf(factor, layer.x), layer]);
    if (outs.length > 0) this.writes.push([keyOf(factor, layer.y), layer]);
    return true;
  }

  /** A product of two activations: sums over the channels of both, or mixes other axes of one. */
  private followProduct(
    { inputs }: Node,
    index: number,
    factor: Factor,
    ins: readonly string[],
    outs: readonly string[],
    pass: () => boolean,
  ): boolean {
    if (inputs.some((value) => this.sources.has(value))) return false;
    if (outs.length > 0) return ins.length === 1 && pass();
    const [left, right] = inputs as [string, string];
    if (ins.length !== 2 || left === right) return false;
    const { system, axes } = this.grouping.analysis;
    if (system.head(axes.get(left)!.at(-1)!) !== factor || system.head(axes.get(right)!.at(-2)!) !== factor)
      return false;
    this.products.push([keyOf(factor, left), { node: index, input: 0, value: left }]);
    this.products.push([keyOf(factor, right), { node: index, input: 1, value: right }]);
    return true;
  }

  private isParameterOn(factor: Factor, index: number, node: Node, value: string): boolean {
    const use = this.uses.get(`${index} ${node.inputs.indexOf(value)}`);
    return use?.axes.some((axis) => this.factorsOf(axis).has(factor)) ?? false;
  }

  private carried(value: string): ReadonlySet<Factor> {
    let factors = this.carriedBy.get(value);
    if (!factors) {
      const axes = this.sources.has(value) ? [] : (this.grouping.analysis.axes.get(value) ?? []);
      factors = new Set(axes.flatMap((axis) => [...this.factorsOf(axis)]));
      this.carriedBy.set(value, factors);
    }
    return factors;
  }

  private factorsOf(axis: Axis): Set<Factor> {
    const { system } = this.grouping.analysis;
    return new Set(system.leaves(axis).filter((leaf) => this.eligible.has(leaf)));
  }

  private join(a: Key, b: Key): void {
    const [x, y] = [this.rootOf(a), this.rootOf(b)];
    if (x !== y) this.parents.set(x, y);
  }

  private rootOf(key: Key): Key {
    let root = key;
    for (let next = this.parents.get(root); next !== undefined; next = this.parents.get(root)) root = next;
    for (let step = key; step !== root;) {
      const next = this.parents.get(step)!;
      this.parents.set(step, root);
      step = next;
    }
    return root;
  }

  private collect(): Flow[] {
    const refused = new Set([...this.refused].map((key) => this.rootOf(key)));
    const groupOf = new Map([...this.eligible].map(([{ id }, group]) => [String(id), group]));
    const found = new Map<Key, Found>();
    const at = (key: Key): Found => {
      const root = this.rootOf(key);
      let flow = found.get(root);
      if (!flow) {
        const group = groupOf.get(root.slice(0, root.indexOf(' ')))!;
        flow = { group, writers: [], readers: [], products: [], passes: new Set<number>() };
        found.set(root, flow);
      }
      return flow;
    };
    for (const [key, layer] of this.writes) at(key).writers.push(layer);
    for (const [key, layer] of this.reads) at(key).readers.push(layer);
    for (const [key, use] of this.products) at(key).products.push(use);
    for (const [key, node] of this.passed) at(key).passes.add(node);
    return [...found].flatMap(([root, { group, writers, readers, products, passes }]): Flow[] => {
      if (refused.has(root) || writers.length === 0 || readers.length + products.length === 0) return [];
      return [{ group, writers, readers, products, passes: [...passes].sort((a, b) => a - b) }];
    });
  }
}

function keyOf(factor: Factor, value: string): Key {
  return `${factor.id} ${value}`;
}
