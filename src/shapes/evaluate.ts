import { PruneError } from '../errors.js';
import { graphAttributes } from '../onnx/attributes.js';
import { encodeModel } from '../onnx/codec.js';
import { isFloat } from '../onnx/data-type.js';
import type { Model, Node } from '../onnx/model.js';
import { elementCount, type Tensor } from '../onnx/tensor.js';
import { integersOf, integerTensor } from '../onnx/values.js';
import { has } from '../ops/index.js';
import { listedSizes, sizesOf } from '../ops/sizes.js';
import type { Runtime } from '../runtime/runtime.js';
import { fromRuntime } from '../runtime/tensors.js';
import { literalsOf, usedNames } from './literals.js';
import { type Dims, partialModel } from './session-model.js';

/** A closure through a float tensor with more elements than this is a weight computation, not a shape constant. */
const largestFloat = 1e6;

export interface EvaluateOptions {
  /** Default a million: what is larger is a weight, not a shape. */
  readonly maxFloats?: number;
  /** Default `disabled`, which loads fastest. */
  readonly optimization?: 'disabled' | 'all';
}

/**
 * Values computed only from initializers, Constant nodes and Shape/Size of values with known static shape,
 * evaluated by onnxruntime in one small session. Literals (also behind Identity) are answered without it.
 *
 * Left out of the result: values that depend on a graph input, on an unknown shape, on random numbers or on float
 * tensors of more elements than `maxFloats`, and those whose evaluation onnxruntime refuses (the others still come out).
 * @param shapeOf static dims of a value, undefined where unknown
 */
export async function evaluateConstants(
  model: Model,
  runtime: Runtime,
  shapeOf: (value: string) => Dims | undefined,
  wanted: Iterable<string>,
  { maxFloats = largestFloat, optimization = 'disabled' }: EvaluateOptions = {},
): Promise<Map<string, Tensor>> {
  const literals = literalsOf(model.graph);
  const results = new Map<string, Tensor>();
  const computed: string[] = [];
  for (const name of new Set(wanted)) {
    const literal = literals.get(name);
    if (literal !== undefined) results.set(name, literal);
    else if (name !== '') computed.push(name);
  }
  if (computed.length === 0) return results;

  const closure = new ConstantClosure(model, literals, shapeOf, maxFloats);
  const evaluable: string[] = [];
  for (const name of computed) {
    const literal = closure.literalOf(name);
    if (literal !== undefined) results.set(name, { ...literal, name });
    else if (closure.isConstant(name)) evaluable.push(name);
  }
  const batches = evaluable.length === 0 ? [] : [evaluable];
  for (let batch = batches.pop(); batch !== undefined; batch = batches.pop()) {
    try {
      for (const tensor of await run(closure.modelFor(batch), batch, runtime, optimization))
        results.set(tensor.name, tensor);
    } catch (error) {
      if (!(error instanceof PruneError) || error.code !== 'runtime') throw error;
      if (batch.length === 1) continue;
      const middle = batch.length >> 1;
      batches.push(batch.slice(middle), batch.slice(0, middle));
    }
  }
  return results;
}

/** The part of a graph that doesn't depend on its inputs, explored backwards from what is asked for. */
class ConstantClosure {
  private readonly writers = new Map<string, number>();
  private readonly decided = new Map<string, boolean>();
  /** Shape and Size nodes answered from known shapes, by output. */
  private readonly measured = new Map<string, Tensor>();

  constructor(
    private readonly model: Model,
    private readonly literals: ReadonlyMap<string, Tensor>,
    private readonly shapeOf: (value: string) => Dims | undefined,
    private readonly maxFloats: number,
  ) {
    for (const [index, node] of model.graph.nodes.entries()) {
      for (const name of node.outputs) this.writers.set(name, index);
    }
  }

  /** A literal that the value equals without any computation. */
  literalOf(name: string): Tensor | undefined {
    for (;;) {
      const literal = this.literals.get(name) ?? this.measure(name);
      if (literal !== undefined) return literal;
      const node = this.writerOf(name);
      if (!node || !has(node, 'alias')) return undefined;
      name = node.inputs[0]!;
    }
  }

  /** Whether the value depends on nothing but constants. */
  isConstant(name: string): boolean {
    const stack = [name];
    while (stack.length > 0) {
      const current = stack.at(-1)!;
      if (this.decided.has(current)) {
        stack.pop();
        continue;
      }
      const verdict = this.decide(current, stack);
      if (verdict !== undefined) {
        this.decided.set(current, verdict);
        stack.pop();
      }
    }
    return this.decided.get(name)!;
  }

  /** Decides one value, or pushes an undecided operand to look at first. */
  private decide(name: string, stack: string[]): boolean | undefined {
    const literal = this.literals.get(name) ?? this.measure(name);
    if (literal !== undefined) return isUsable(literal, this.maxFloats);
    const node = this.writerOf(name);
    if (node === undefined || isRandom(node)) return false;
    const shape = this.shapeOf(name);
    if (shape !== undefined && elementCount(shape.map((dim) => dim ?? 1)) > this.maxFloats) return false;
    for (const operand of usedNames(node)) {
      const verdict = this.decided.get(operand);
      if (verdict === false) return false;
      if (verdict === undefined) {
        stack.push(operand);
        return undefined;
      }
    }
    return true;
  }

  /** The value of a Shape or Size node whose operand has a known shape, or of a Gather of known sizes. */
  private measure(name: string): Tensor | undefined {
    const known = this.measured.get(name);
    if (known !== undefined) return known;
    const node = this.writerOf(name);
    if (!node) return undefined;
    if (has(node, 'gathers')) return this.pickedSizes(node);
    const shape = has(node, 'sizes') ? this.dimsOf(node.inputs[0]!) : undefined;
    const tensor = shape && sizesOf(node, shape);
    if (tensor) this.measured.set(name, tensor);
    return tensor;
  }

  /** Known sizes picked from a shape that isn't known as a whole. */
  private pickedSizes({ inputs, outputs }: Node): Tensor | undefined {
    const [name] = outputs as [string];
    const picked = this.literals.get(inputs[1]!);
    const writer = this.writerOf(inputs[0]!);
    if (!picked || !writer || !has(writer, 'sizes')) return undefined;
    const shape = this.dimsOf(writer.inputs[0]!);
    const sizes = shape && listedSizes(writer, shape);
    const values = integersOf(picked).map((index) => sizes?.at(index));
    if (!values.every((size) => size !== undefined)) return undefined;
    const tensor = integerTensor(name, values, picked.dims);
    this.measured.set(name, tensor);
    return tensor;
  }

  private dimsOf(value: string): Dims | undefined {
    return this.literals.get(value)?.dims ?? this.shapeOf(value);
  }

  /** A model without inputs that computes the values. */
  modelFor(wanted: readonly string[]): Model {
    const constants = new Map<string, Tensor>();
    const indices = new Set<number>();
    const pending = [...wanted];
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      const literal = this.literals.get(name) ?? this.measured.get(name);
      if (literal !== undefined) {
        constants.set(name, { ...literal, name });
        continue;
      }
      const index = this.writers.get(name);
      if (index === undefined || indices.has(index)) continue;
      indices.add(index);
      pending.push(...usedNames(this.model.graph.nodes[index]!));
    }
    const nodes = [...indices].sort((a, b) => a - b).map((index) => this.model.graph.nodes[index]!);
    return partialModel(this.model, nodes, [...constants.values()], [], wanted);
  }

  private writerOf(name: string): Node | undefined {
    const index = this.writers.get(name);
    return index === undefined ? undefined : this.model.graph.nodes[index];
  }
}

async function run(
  model: Model,
  wanted: readonly string[],
  runtime: Runtime,
  optimization: 'disabled' | 'all',
): Promise<Tensor[]> {
  const session = await runtime.load(encodeModel(model), { optimization, threads: 1 });
  try {
    const values = await session.run({}, wanted);
    return wanted.flatMap((name) => {
      const value = values[name];
      return value === undefined || value.type === 'string' ? [] : [fromRuntime(name, value)];
    });
  } finally {
    await session.release();
  }
}

function isUsable({ dtype, dims, data }: Tensor, maxFloats: number): boolean {
  return data.storage !== 'absent' && !(isFloat(dtype) && elementCount(dims) > maxFloats);
}

/** Whether a node, or one inside its bodies, draws random numbers. */
function isRandom(node: Node): boolean {
  const nodes = [node];
  for (const current of nodes) {
    if (has(current, 'random')) return true;
    for (const { graph } of graphAttributes(current)) nodes.push(...graph.nodes);
  }
  return false;
}
