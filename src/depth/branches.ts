import { nodeLabel } from '../onnx/names.js';
import { findConstants } from '../ops/constants.js';
import type { CostModel, NodeCost } from '../cost/cost.js';
import { isFloat, type DataType } from '../onnx/data-type.js';
import { indexGraph, type GraphIndex } from '../onnx/graph-index.js';
import type { Model, Node } from '../onnx/model.js';
import { has } from '../ops/index.js';
import type { ShapeOf } from '../plan/projection.js';

/**
 * A residual branch: what an Add (or Sum) adds to the value it was computed from. Without it the stream passes on
 * unchanged. The smallest such pieces are looked for, e.g. the attention and the MLP of a transformer layer, one each.
 */
export interface Branch {
  /** `b0`, `b1`, … in graph order; stable for a given model. */
  readonly id: string;
  /** Label of the Add or Sum. */
  readonly name: string;
  /** Index of the Add or Sum, and which of its inputs is the branch. */
  readonly node: number;
  readonly input: number;
  /** What the branch is computed from and added to. */
  readonly stream: string;
  /** What is added: the branch's last value. */
  readonly value: string;
  /** The sum: the stream from there on. */
  readonly sum: string;
  /** Nodes between the stream and the sum, ascending. Side inputs (masks, tables, shapes) are not among them. */
  readonly nodes: readonly number[];
  /** Those nodes, and all others that only they read: what the model loses with the branch, besides the sum. */
  readonly removes: readonly number[];
  /** Shape of the stream, and the ops that multiply in their order: branches of one kind do alike work. */
  readonly kind: string;
}

/** A sum that looks like the end of a residual branch, and why it can't be removed. */
export interface BlockedBranch {
  readonly name: string;
  readonly why: string;
}

export interface FoundBranches {
  readonly branches: readonly Branch[];
  readonly refused: readonly BlockedBranch[];
}

export interface BranchSource {
  readonly model: Model;
  readonly cost: CostModel;
  readonly dtypeOf: (value: string) => DataType | undefined;
  /** Static shapes at every size of the symbolic dims that is to be tried. */
  readonly shapes: readonly ShapeOf[];
}

/**
 * Finds the residual branches of the main graph by its edges alone. Of the inputs of a sum the stream is the one that
 * the other is computed from. A branch does work with weights of its own (`x + x³` is no branch), nothing in it is
 * read elsewhere but sizes, and the sum broadcasts nothing. Side inputs are allowed: an attention mask made once for
 * all layers doesn't make a branch less of one.
 */
export function findBranches(source: BranchSource): FoundBranches {
  return new Search(source).run();
}

class Search {
  private readonly nodes: readonly Node[];
  private readonly index: GraphIndex;
  private readonly constants: ReadonlyMap<string, unknown>;
  private readonly costs: readonly NodeCost[];
  private readonly branches: Branch[] = [];
  private readonly refused: BlockedBranch[] = [];

  constructor(private readonly source: BranchSource) {
    const { graph } = source.model;
    this.nodes = graph.nodes;
    this.index = indexGraph(graph);
    this.constants = findConstants(graph);
    this.costs = source.cost.byNode();
  }

  run(): FoundBranches {
    this.nodes.forEach((node, index) => {
      if (!has(node, 'adds') || node.inputs.length < 2) return;
      if (node.inputs.some((name) => this.constants.has(name))) return;
      const sources = node.inputs.map((name) => this.index.producer.get(name)?.index ?? -1);
      const stream = sources.indexOf(Math.min(...sources));
      node.inputs.forEach((_, input) => input !== stream && this.consider(index, stream, input));
    });
    return { branches: this.branches, refused: this.refused };
  }

  private consider(index: number, streamInput: number, input: number): void {
    const node = this.nodes[index]!;
    const [stream, value, sum] = [node.inputs[streamInput]!, node.inputs[input]!, node.outputs[0]!];
    const between = this.between(stream, value);
    const working = between.filter((i) => this.costs[i]!.macs > 0);
    if (!working.some((i) => this.costs[i]!.parameters > 0)) return;
    const dims = this.source.shapes.map((shapeOf) => [stream, sum].map((of) => shapeOf(of)?.join()));
    // What is broadcast to the shape of the rest is no stream: an attention mask is not, though later scores come of it.
    if (dims.some(([before, after]) => before !== undefined && before !== after)) return;
    const name = nodeLabel(node, index);
    const why = this.blockerOf(index, [stream, value, sum], between);
    if (why !== undefined) this.refused.push({ name, why });
    else
      this.branches.push({
        ...{ id: `b${this.branches.length}`, name, node: index, input, stream, value, sum },
        nodes: between,
        removes: this.goesWith(value, index, input),
        kind: [dims[0]![0], ...working.map((i) => this.nodes[i]!.opType)].join(' '),
      });
  }

  /** The nodes on paths from one value to another, ascending; the graph is in topological order. */
  private between(from: string, to: string): number[] {
    const first = this.index.producer.get(from)?.index ?? -1;
    const behind = new Set<number>();
    const pending = [to];
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      const made = this.index.producer.get(name);
      if (!made || made.index <= first || behind.has(made.index)) continue;
      behind.add(made.index);
      pending.push(...this.readBy(made.node));
    }
    const reached = new Set<string>([from]);
    return [...behind]
      .sort((a, b) => a - b)
      .filter((i) => {
        const isOn = this.readBy(this.nodes[i]!).some((name) => reached.has(name));
        if (isOn) for (const name of this.nodes[i]!.outputs) if (name) reached.add(name);
        return isOn;
      });
  }

  /** What nothing reads any more once a sum doesn't read the value. */
  private goesWith(value: string, sum: number, input: number): number[] {
    const gone = new Set<number>();
    const isUnread = (name: string): boolean =>
      !this.index.outputs.has(name) &&
      (this.index.consumers.get(name) ?? []).every(
        (use) => gone.has(use.index) || (use.index === sum && use.input === input),
      );
    const pending = [value];
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      const made = this.index.producer.get(name);
      if (!made || gone.has(made.index) || !made.node.outputs.every(isUnread)) continue;
      gone.add(made.index);
      pending.push(...this.readBy(made.node));
    }
    return [...gone].sort((a, b) => a - b);
  }

  private readBy(node: Node): readonly string[] {
    return [...node.inputs.filter(Boolean), ...(this.index.captured.get(node) ?? [])];
  }

  private blockerOf(
    index: number,
    values: readonly [stream: string, value: string, sum: string],
    between: readonly number[],
  ): string | undefined {
    if (!isFloat(this.source.dtypeOf(values[2]) ?? 'undefined')) return 'its type is not known to be a float';
    for (const shapeOf of this.source.shapes) {
      const [stream, value, sum] = values.map((name) => shapeOf(name)?.map((dim) => dim ?? '?'));
      if (!stream || !value || !sum || [...stream, ...value].includes('?'))
        return 'its shape depends on data';
      if (stream.join() !== sum.join() || value.join() !== sum.join())
        return `it broadcasts: [${stream.join(', ')}] + [${value.join(', ')}]`;
    }
    const inside = new Set(between);
    const inner = this.branches.find(({ node }) => inside.has(node));
    if (inner) return `it holds the residual branch of '${inner.name}'`;
    for (const i of between)
      for (const name of this.nodes[i]!.outputs) {
        // Sizes may be shared with later layers: they stay as long as somebody reads them.
        if (!name || !isFloat(this.source.dtypeOf(name) ?? 'float32')) continue;
        if (this.index.outputs.has(name)) return `'${name}' in the branch is an output of the model`;
        const uses = this.index.consumers.get(name) ?? [];
        const other = uses.find((use) => use.index !== index && !inside.has(use.index));
        if (other) return `'${name}' in the branch is also read by '${nodeLabel(other.node, other.index)}'`;
      }
    return undefined;
  }
}
