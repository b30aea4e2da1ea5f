import type { Model, Node } from '../onnx/model.js';

import { capturedNames } from '../onnx/graph-index.js';
import { nodeLabel } from '../onnx/names.js';
import { has, qualifiedName } from '../ops/index.js';
import { whyUnknown } from '../ops/unknown.js';
import { applyRelation } from './apply.js';
import { sum, type Axis, type Blocker } from './axis.js';
import { opContext, type ValueFacts } from './context.js';
import { parseNotation, type Notation } from './notation.js';
import { findPermutations, type Permutation } from './permutation.js';
import { findConstants, type ConstantSource } from '../ops/constants.js';
import { RelationError, type StatedRelation } from './relation.js';
import { rolesOf, type ParameterRead, type RoleUse } from './roles.js';
import { NoRelation, type AxisRule } from './rule.js';
import { axisRules } from './rules/index.js';
import { AxisSystem } from './system.js';

/** A use of a constant tensor by a node: uses of one tensor are free of each other unless it is tied. */
export interface ParameterUse {
  readonly node: number;
  readonly input: number;
  readonly source: ConstantSource;
  readonly axes: readonly Axis[];
}

/** The axes of every value of a graph, after all relations were stated. */
export interface AxisCoupling {
  readonly model: Model;
  readonly system: AxisSystem;
  /** Axes by value name; parameters with one use-independent expression (tied) included. */
  readonly axes: ReadonlyMap<string, readonly Axis[]>;
  readonly parameters: readonly ParameterUse[];
  readonly roles: readonly RoleUse[];
  /** Axes whose single positions are reordered; their nodes state nothing else. */
  readonly permutations: readonly Permutation[];
  /** What was stated for each node; undefined where nothing could be. */
  readonly relations: readonly (StatedRelation | undefined)[];
}

export interface CoupleOptions {
  /** Rules that add to or replace the built-in ones, by `Op` or `domain::Op`. */
  readonly rules?: Readonly<Record<string, AxisRule>>;
  /** Whether an axis of a graph input or output may be pruned. Default: none. */
  readonly allowIo?: (value: string, axis: number) => boolean;
}

/**
 * States the relation of every node, in graph order, on one axis system.
 * Whatever no rule relates is blocked with a reason; linear in the size of the graph.
 */
export function coupleAxes(model: Model, facts: ValueFacts, options: CoupleOptions = {}): AxisCoupling {
  return new Coupling(model, facts, options).run();
}

class Coupling {
  private readonly system = new AxisSystem();
  private readonly axes = new Map<string, readonly Axis[]>();
  private readonly parameters: ParameterUse[] = [];
  private readonly roles: RoleUse[] = [];
  private readonly notations = new Map<string, Notation>();
  /** Values computed from parameters alone, with the one parameter that is rearranged, if it is only one. */
  private readonly derived = new Map<string, number | undefined>();
  private readonly sources: ReadonlyMap<string, ConstantSource>;
  private readonly candidates: ReadonlyMap<number, Permutation>;
  private readonly permutations: Permutation[] = [];
  private readonly permuting = new Set<number>();
  /** Values that a node, a body or the outside reads. */
  private readonly used: ReadonlySet<string>;
  private readonly rules: ReadonlyMap<string, AxisRule>;

  constructor(
    private readonly model: Model,
    private readonly facts: ValueFacts,
    private readonly options: CoupleOptions,
  ) {
    this.sources = findConstants(model.graph);
    const { nodes, outputs } = model.graph;
    this.used = new Set([
      ...nodes.flatMap((node) => [...node.inputs, ...capturedNames(node)]),
      ...outputs.map(({ name }) => name),
    ]);
    this.candidates = findPermutations(model.graph, facts, (value) => this.sources.has(value));
    this.rules = options.rules ? new Map([...axisRules, ...Object.entries(options.rules)]) : axisRules;
  }

  run(): AxisCoupling {
    const { graph } = this.model;
    for (const input of graph.inputs) if (!this.sources.has(input.name)) this.contract(input.name, 'input');
    const relations = graph.nodes.map((node, index) => this.relate(node, index));
    for (const output of graph.outputs) {
      const source = this.sources.get(output.name);
      // A constant that is also an output: what the outside sees must stay, so its tied axes are blocked.
      if (source)
        this.tiedAxes(source).forEach((axis) => this.system.block(axis, contractOf(output.name, 'output')));
      else this.contract(output.name, 'output');
    }
    const { model, system, axes, parameters, roles, permutations } = this;
    return { model, system, axes, parameters, roles, permutations, relations };
  }

  /** Graph inputs and outputs are contracts with the outside. */
  private contract(value: string, side: 'input' | 'output'): void {
    const axes = this.axes.get(value) ?? this.freshAxes(value, contractOf(value, side));
    axes?.forEach((axis, i) => {
      if (!this.options.allowIo?.(value, i)) this.system.block(axis, contractOf(value, side, i));
    });
    if (axes) this.axes.set(value, axes);
  }

  /** One factor per axis; NaN-sized blocked ones where the size depends on data. */
  private freshAxes(value: string, unknown: Blocker): Axis[] | undefined {
    return this.facts
      .shapeOf(value)
      ?.map((dim) =>
        dim === undefined || dim < 1
          ? this.system.blocked(dim ?? NaN, { ...unknown, why: 'its size depends on data' })
          : this.system.factor(dim),
      );
  }

  private relate(node: Node, index: number): StatedRelation | undefined {
    // Constants and their aliases are parameters, seen through at their uses.
    if (node.outputs.length === 1 && this.sources.has(node.outputs[0]!)) return undefined;
    const candidate = this.candidates.get(index);
    if (candidate && this.permute(candidate)) return unrelated(permutationNotation(candidate));
    if (this.permuting.has(index)) return unrelated('_ -> _');
    const origin: Blocker = {
      node: nodeLabel(node, index),
      op: qualifiedName(node),
      axis: 'all axes',
      why: '',
    };
    const firstParameter = this.parameters.length;
    const inputs = node.inputs.map((value, input) => this.inputAxes(value, index, input));
    const parameters = this.parametersRead(node, firstParameter);
    try {
      if (hasSubgraph(node)) throw new NoRelation('it holds a subgraph');
      const rule = this.rules.get(qualifiedName(node));
      if (!rule) throw new NoRelation(whyUnknown(origin.op));
      const context = opContext(this.model, node, this.facts, this.sources);
      const result = typeof rule === 'function' ? rule(context) : rule;
      const relation = typeof result === 'string' ? { notation: result } : result;
      const notation = this.parse(relation.notation);
      // Unrelated it would be as good as absent, and what is pruned on the others would not be on it.
      node.inputs.forEach((value, input) => {
        if (value && !inputs[input] && notation.inputs[input])
          throw new NoRelation(`the rank of input ${input} ('${value}') is unknown`);
      });
      // An output of unknown shape gets no axes: nothing would tell its readers what goes from it.
      node.outputs.forEach((value, k) => {
        if (k > 0 && value && this.used.has(value) && !this.facts.shapeOf(value))
          throw new NoRelation(`the rank of output ${k} ('${value}') is unknown`);
      });
      const outputs = node.outputs.map((value, k) =>
        value && (k === 0 || this.facts.shapeOf(value)) ? context.outputShape(k) : undefined,
      );
      const applied = applyRelation(this.system, notation, relation, { node, inputs, outputs }, origin);
      node.outputs.forEach((value, k) => outputs[k] && this.axes.set(value, applied.outputs[k]!));
      this.roles.push(...rolesOf(index, applied, parameters));
      return applied.stated;
    } catch (error) {
      if (!(error instanceof NoRelation || error instanceof RelationError)) throw error;
      this.blockNode(node, inputs, { ...origin, why: error.message });
      return undefined;
    }
  }

  /** States a permutation position by position, where the axis has free positions of their own. */
  private permute(permutation: Permutation): boolean {
    const { nodes, input, output, axis, sources } = permutation;
    const axes = this.axes.get(input);
    if (!axes || this.system.isBlocked(axes[axis]!)) return false;
    const positions = this.system.positions(axes[axis]!);
    if (!positions) return false;
    const last = this.model.graph.nodes[nodes.at(-1)!]!;
    for (const node of nodes) {
      this.permuting.add(node);
      const { inputs, outputs } = this.model.graph.nodes[node]!;
      for (const value of outputs) this.blockValue(value, last, nodes.at(-1)!);
      // The targets of its Reshapes are sizes, or its indices, as everywhere.
      for (const value of inputs.slice(1)) this.blockSizes(value, last, nodes.at(-1)!);
    }
    const permuted = sum(Array.from(sources, (source) => positions[source]!));
    this.axes.set(output, axes.with(axis, permuted));
    this.permutations.push(permutation);
    return true;
  }

  /** Gives a value inside a permutation axes that stay: it goes with the nodes when the permutation changes. */
  private blockValue(value: string, node: Node, index: number): void {
    const why = 'it is inside a permutation';
    const blocker = { node: nodeLabel(node, index), op: qualifiedName(node), axis: 'all axes', why };
    const axes = this.freshAxes(value, blocker);
    if (!axes) return;
    for (const axis of axes) this.system.block(axis, blocker);
    this.axes.set(value, axes);
  }

  private blockSizes(value: string, node: Node, index: number): void {
    const why = 'its entries are sizes or indices';
    const blocker = { node: nodeLabel(node, index), op: qualifiedName(node), axis: 'all axes', why };
    for (const axis of this.axes.get(value) ?? []) this.system.block(axis, blocker);
  }

  private blockNode(node: Node, inputs: readonly (readonly Axis[] | undefined)[], blocker: Blocker): void {
    inputs.forEach((axes, input) =>
      axes?.forEach((axis, i) => this.system.block(axis, { ...blocker, axis: `input ${input} axis ${i}` })),
    );
    for (const value of capturedNames(node))
      for (const axis of this.capturedAxes(value)) this.system.block(axis, blocker);
    for (const value of node.outputs) {
      const axes = value ? this.freshAxes(value, blocker) : undefined;
      if (!axes) continue;
      for (const axis of axes) this.system.block(axis, blocker);
      this.axes.set(value, axes);
    }
  }

  private capturedAxes(value: string): readonly Axis[] {
    const source = this.sources.get(value);
    return source ? this.tiedAxes(source) : (this.axes.get(value) ?? []);
  }

  private inputAxes(value: string, node: number, input: number): readonly Axis[] | undefined {
    if (!value) return undefined;
    const source = this.sources.get(value);
    if (!source) return this.axes.get(value);
    const axes = source.tied ? this.tiedAxes(source) : source.tensor.dims.map((dim) => this.dimension(dim));
    this.parameters.push({ node, input, source, axes });
    return axes;
  }

  private tiedAxes(source: ConstantSource): readonly Axis[] {
    let axes = this.axes.get(source.name);
    if (!axes) this.axes.set(source.name, (axes = source.tensor.dims.map((dim) => this.dimension(dim))));
    return axes;
  }

  private dimension(dim: number): Axis {
    return dim > 0 ? this.system.factor(dim) : { kind: 'sum', terms: [], size: 0 };
  }

  private parametersRead(node: Node, firstParameter: number): ParameterRead[] {
    const byInput = new Map<number, number>();
    for (let k = firstParameter; k < this.parameters.length; k++) byInput.set(this.parameters[k]!.input, k);
    const read = node.inputs.map((value, input) =>
      byInput.has(input) ? byInput.get(input) : this.derived.has(value) ? this.derived.get(value) : null,
    );
    const present = read.filter((_, input) => node.inputs[input]);
    if (present.length > 0 && !present.includes(null)) {
      const large = present.filter(
        (k) => k === undefined || this.parameters[k!]!.source.tensor.dims.some((d) => d > 1),
      );
      // The first input of a rearranging op is what it rearranges; the others hold shapes, indices and scales.
      const only =
        large.length === 1 || has(node, 'rearranges') ? (present[0] as number | undefined) : undefined;
      for (const value of node.outputs) this.derived.set(value, only);
    }
    return read;
  }

  private parse(text: string): Notation {
    let notation = this.notations.get(text);
    if (!notation) this.notations.set(text, (notation = parseNotation(text)));
    return notation;
  }
}

/** The relation of a node that is part of a permutation, which only tells people so. */
const unrelated = (notation: string): StatedRelation => ({ notation, letters: new Map() });

function permutationNotation({ axis }: Permutation): string {
  const letters = Array.from({ length: axis + 1 }, (_, i) => String.fromCharCode(97 + i));
  return `${letters.join(' ')} … -> ${letters.with(axis, `π(${letters[axis]})`).join(' ')} …`;
}

function contractOf(value: string, side: 'input' | 'output', axis?: number): Blocker {
  return {
    node: value,
    op: `graph ${side}`,
    axis: axis === undefined ? 'all axes' : `axis ${axis}`,
    why: `it is part of the model's interface`,
  };
}

function hasSubgraph(node: Node): boolean {
  for (const { type } of node.attributes.values()) if (type === 'graph' || type === 'graphs') return true;
  return false;
}
