import type { InferenceSession } from 'onnxruntime-common';
import { PruneError, throwIfAborted } from '../errors.js';
import { encodeModel } from '../onnx/codec.js';
import { tensorAttribute } from '../onnx/attributes.js';
import type { DataType } from '../onnx/data-type.js';
import type { Model, Node, ValueInfo, ValueType } from '../onnx/model.js';
import { elementCount, type Tensor } from '../onnx/tensor.js';
import { integersOf } from '../onnx/values.js';
import { has, qualifiedName } from '../ops/index.js';
import { shapeNode } from '../ops/nodes.js';
import type { Runtime } from '../runtime/runtime.js';
import { evaluateConstants } from './evaluate.js';
import { readRefusal } from './failures.js';
import { literalsOf, usedNames } from './literals.js';
import { describe, type OpenPins } from './pins.js';
import { isCertainlyScalar } from './ranks.js';
import { cutIntoSegments, type Segment } from './segments.js';
import { modelType, withSessionTypes } from './session-types.js';
import { type Fact, isShapeRelevant, partialModel, sessionInput, typedInput } from './session-model.js';

/** A node that onnxruntime can't load, so that the graph is cut there. */
export interface CutNode {
  /** The node's name, or its index as `#12` where it has none. */
  readonly node: string;
  /** Qualified: `Foo`, or `my.domain::Foo` outside the default domain. */
  readonly op: string;
  /** onnxruntime's words. */
  readonly reason: string;
}

/** Longest run of nodes in one session. */
const segmentLimit = 5000;

/** One inference over a graph: facts grow segment by segment, in topological order. */
export class ShapeInference {
  milliseconds = 0;
  readonly unknownOps: CutNode[] = [];
  private readonly literals: ReadonlyMap<string, Tensor>;
  private readonly facts = new Map<string, Fact>();
  /** Dtypes to try for outputs of cut nodes that the file says nothing about. */
  private readonly guesses = new Map<string, DataType>();
  /** Types of the file: graph inputs and value_info. */
  private readonly declared = new Map<string, ValueType>();
  private readonly reads: readonly (readonly string[])[];
  private readonly writers = new Map<string, number>();
  private readonly cut = new Set<number>();

  constructor(
    private readonly model: Model,
    private readonly runtime: Runtime,
    private readonly pins: OpenPins,
    private readonly signal: AbortSignal | undefined,
  ) {
    const { graph } = model;
    this.literals = literalsOf(graph);
    for (const info of [...graph.valueInfos, ...graph.outputs, ...graph.inputs]) {
      if (info.type !== undefined) this.declared.set(info.name, info.type);
    }
    for (const input of graph.inputs) {
      const shape = pins.shapes.get(input.name);
      if (shape !== undefined && input.type?.kind === 'tensor') {
        this.facts.set(input.name, { dtype: input.type.dtype, shape });
      }
    }
    for (const [name, { dtype, dims }] of this.literals) this.facts.set(name, { dtype, shape: dims });
    for (const node of graph.nodes) {
      const filled = filledTensor(node, this.literals);
      if (filled !== undefined) this.facts.set(node.outputs[0]!, filled);
    }
    this.reads = graph.nodes.map(usedNames);
    for (const [index, node] of graph.nodes.entries()) {
      for (const name of node.outputs) if (name !== '') this.writers.set(name, index);
    }
  }

  factOf(name: string): Fact | undefined {
    return this.facts.get(name);
  }

  async run(): Promise<void> {
    const writes = this.model.graph.nodes.map((node) => node.outputs);
    const pending = cutIntoSegments(this.reads, writes, segmentLimit).reverse();
    for (let segment = pending.pop(); segment !== undefined; segment = pending.pop()) {
      try {
        await this.inferSegment(segment);
      } catch (error) {
        if (!(error instanceof PruneError) || error.code !== 'runtime') throw error;
        pending.push(...this.aroundFailure(segment, error));
      }
    }
    for (const name of this.pins.hints.keys()) {
      if (this.cut.has(this.writers.get(name)!)) continue;
      throw new PruneError(
        'invalid-option',
        `unknown input in shape: ${name}; the model's inputs are ${this.inputsAsText()}`,
      );
    }
  }

  /** What to try next after onnxruntime refused a segment: without the op it named, or halved down to one node. */
  private aroundFailure(segment: Segment, error: PruneError): Segment[] {
    const refusal = readRefusal(error.message);
    if (refusal.kind === 'shapes' && (this.pins.symbolic.size > 0 || this.cut.size === 0)) {
      throw new PruneError(
        'invalid-option',
        `input shapes don't fit the model (${error.message}); the inputs are ${this.inputsAsText()}, give others with --shape`,
        { cause: error },
      );
    }
    if (refusal.kind === 'unknown-op') {
      const before = this.cut.size;
      const { nodes } = this.model.graph;
      const sameOp = indicesOf(segment).filter(
        (i) =>
          nodes[i]!.opType === refusal.opType && (refusal.domain ?? nodes[i]!.domain) === nodes[i]!.domain,
      );
      // One by one at first; where kernels are missing wholesale (bfloat16 on the CPU) that would take a session a node.
      const isRare = this.unknownOps.length < 8;
      const named = sameOp.filter(
        (i) => isRare && refusal.node !== undefined && nodes[i]!.name === refusal.node,
      );
      for (const index of named.length > 0 ? named : sameOp) this.cutAt(index, error);
      if (this.cut.size > before) return [segment];
    }
    const { from, to } = segment;
    if (to - from === 1) {
      this.cutAt(from, error);
      return [];
    }
    const middle = (from + to) >> 1;
    return [
      { from: middle, to },
      { from, to: middle },
    ];
  }

  /** Gives up on a node: its outputs have what the file or the user says. */
  private cutAt(index: number, error: PruneError): void {
    if (this.cut.has(index)) return;
    this.cut.add(index);
    const node = this.model.graph.nodes[index]!;
    this.unknownOps.push({
      node: node.name === '' ? `#${index}` : node.name,
      op: qualifiedName(node),
      reason: error.message,
    });
    const input = node.inputs.find((name) => this.facts.get(name)?.dtype !== undefined);
    const guess = input === undefined ? 'float32' : this.facts.get(input)!.dtype!;
    for (const name of node.outputs) {
      if (name === '') continue;
      const type = this.declared.get(name);
      const declared = type?.kind === 'tensor' ? type : undefined;
      const shape = declared?.shape?.map(({ value }) =>
        typeof value === 'string' ? this.pins.symbols.get(value) : value,
      );
      this.guesses.set(name, guess);
      this.facts.set(name, { dtype: declared?.dtype, shape: this.pins.hints.get(name) ?? shape });
    }
  }

  private async inferSegment(segment: Segment): Promise<void> {
    const own = indicesOf(segment).filter(
      (index) => !this.cut.has(index) && !this.facts.has(this.model.graph.nodes[index]!.outputs[0] ?? ''),
    );
    const nodesOf = (indices: readonly number[]) => indices.map((index) => this.model.graph.nodes[index]!);
    const outputs = nodesOf(own).flatMap((node) => node.outputs.filter((name) => name !== ''));
    if (outputs.length === 0) return;

    const { nodes, constants, inputs } = await this.surroundings(own);
    const metadata = await this.metadataOf(partialModel(this.model, nodes, constants, inputs, outputs));
    const undecided = new Set<string>();
    for (const node of nodesOf(own)) {
      for (const name of node.outputs) {
        const value = metadata.get(name);
        if (value?.isTensor !== true) continue;
        const shape = value.shape.map((dim) => (typeof dim === 'number' ? dim : undefined));
        const decided = shape.length > 0 || isCertainlyScalar(node, (input) => this.facts.get(input));
        if (!decided) undecided.add(name);
        const dtype = modelType(node, value.type, (input) => this.facts.get(input)?.dtype);
        this.facts.set(name, { dtype, shape: decided ? shape : undefined });
      }
    }
    if (undecided.size > 0) await this.askForRanks([...undecided], nodes, constants, inputs);
  }

  /** Tells scalars from values of unknown rank: the shape of `Shape(v)` is [0] for a scalar. */
  private async askForRanks(
    names: readonly string[],
    nodes: readonly Node[],
    constants: readonly Tensor[],
    inputs: readonly ValueInfo[],
  ): Promise<void> {
    const probes = names.map((name, index) => shapeNode(name, `onnx-prune/rank/${index}`));
    const outputs = probes.map((node) => node.outputs[0]!);
    const metadata = await this.metadataOf(
      partialModel(this.model, [...nodes, ...probes], constants, inputs, outputs),
    );
    for (const [index, name] of names.entries()) {
      const value = metadata.get(outputs[index]!);
      if (value?.isTensor === true && value.shape[0] === 0) {
        this.facts.set(name, { dtype: this.facts.get(name)!.dtype, shape: [] });
      }
    }
  }

  /** What nodes need from outside: constants, inputs, and writers of values that can't be inputs (sequences). */
  private async surroundings(own: readonly number[]) {
    const indices = new Set(own);
    const constants: Tensor[] = [];
    const inputs: ValueInfo[] = [];
    const outside: string[] = [];
    const seen = new Set<string>();
    const pending = [...own];
    for (let index = pending.pop(); index !== undefined; index = pending.pop()) {
      for (const name of this.reads[index]!) {
        if (seen.has(name) || indices.has(this.writers.get(name) ?? -1)) continue;
        seen.add(name);
        const literal = this.literals.get(name);
        const type = this.declared.get(name);
        const writer = this.writers.get(name);
        if (literal !== undefined) {
          if (isShapeRelevant(literal)) constants.push({ ...literal, name });
          else inputs.push(sessionInput(name, literal.dtype, literal.dims));
        } else if (this.facts.has(name)) outside.push(name);
        else if (type !== undefined) inputs.push(typedInput(name, type));
        else if (writer !== undefined) {
          indices.add(writer);
          pending.push(writer);
        }
      }
    }
    const folded = await this.evaluate(
      outside.filter((name) => this.writers.has(name) && this.mayShape(name)),
    );
    for (const name of outside) {
      const constant = folded.get(name);
      const fact = this.facts.get(name)!;
      if (constant !== undefined) constants.push({ ...constant, name });
      else inputs.push(sessionInput(name, fact.dtype ?? this.guesses.get(name) ?? 'float32', fact.shape));
    }
    const nodes = [...indices]
      .sort((a, b) => a - b)
      .map((index) => withSessionTypes(this.model.graph.nodes[index]!));
    return { nodes, constants, inputs };
  }

  /** Whether a value that crosses into a segment may be a size, an axis or a bound that shapes depend on. */
  private mayShape(name: string): boolean {
    const { dtype, shape } = this.facts.get(name)!;
    if (shape === undefined || shape.includes(undefined)) return false;
    if (elementCount(shape as readonly number[]) > 64) return false;
    return (
      dtype === 'int64' || dtype === 'int32' || dtype === 'bool' || (dtype === 'float32' && shape.length <= 1)
    );
  }

  private async evaluate(names: readonly string[]): Promise<ReadonlyMap<string, Tensor>> {
    const start = performance.now();
    const values = await evaluateConstants(
      this.model,
      this.runtime,
      (name) => this.facts.get(name)?.shape,
      names,
    );
    this.milliseconds += performance.now() - start;
    return values;
  }

  private async metadataOf(model: Model): Promise<Map<string, InferenceSession.ValueMetadata>> {
    throwIfAborted(this.signal);
    const bytes = encodeModel(model);
    const start = performance.now();
    // 'basic' folds chains from Shape, which 'disabled' leaves symbolic.
    const session = await this.runtime.load(bytes, { optimization: 'basic', threads: 1 });
    this.milliseconds += performance.now() - start;
    const metadata = new Map(session.outputMetadata.map((value) => [value.name, value]));
    await session.release();
    return metadata;
  }

  private inputsAsText(): string {
    const { shapes } = this.pins;
    const inputs = this.model.graph.inputs.filter((input) => shapes.has(input.name));
    return (
      inputs
        .map(
          (input) =>
            `${describe(input)} as [${shapes
              .get(input.name)!
              .map((dim) => dim ?? '?')
              .join(', ')}]`,
        )
        .join(', ') || 'none'
    );
  }
}

/**
 * Large ConstantOfShape outputs (filler weights, masks): known here and cut off, because onnxruntime would fold them,
 * which took 3 s for a VGG's worth of zeros.
 */
function filledTensor(node: Node, literals: ReadonlyMap<string, Tensor>): Fact | undefined {
  const target = literals.get(node.inputs[0] ?? '');
  if (!has(node, 'fills') || target === undefined) return undefined;
  const shape = integersOf(target);
  return elementCount(shape) > 4096
    ? { dtype: tensorAttribute(node, 'value')?.dtype ?? 'float32', shape }
    : undefined;
}

function indicesOf({ from, to }: Segment): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}
