import type { DataType } from '../onnx/data-type.js';
import type { AttributeValue, Node } from '../onnx/model.js';
import type { Tensor } from '../onnx/tensor.js';
import { floatTensor, integerTensor, type FloatType } from '../onnx/values.js';
import { castNode, gatherNode, makeNode, type ShortAttributes } from './nodes.js';

/** The ops that have one input and no attribute. */
const unary = {
  abs: 'Abs',
  exp: 'Exp',
  identity: 'Identity',
  log: 'Log',
  neg: 'Neg',
  shape: 'Shape',
  sigmoid: 'Sigmoid',
  sign: 'Sign',
  sqrt: 'Sqrt',
} as const;

/** Reductions that a graph of ours may need. */
const reductions = {
  max: 'ReduceMax',
  mean: 'ReduceMean',
  norm: 'ReduceL2',
  sum: 'ReduceSum',
  sumOfSquares: 'ReduceSumSquare',
} as const;

/**
 * Writes nodes, in order, for an opset; every method returns the name of the value that it makes, and constants of equal
 * content are shared.
 */
export class GraphBuilder {
  readonly nodes: Node[] = [];
  readonly initializers: Tensor[] = [];
  private readonly shared = new Map<string, string>();

  /**
   * @param opset of the graph that the nodes become part of
   * @param fresh a name that nothing has yet; the hint says for what
   */
  constructor(
    readonly opset: number,
    readonly fresh: (hint: string) => string,
  ) {}

  /** A node with one output. */
  op(opType: string, inputs: readonly string[], attributes: ShortAttributes = {}, output?: string): string {
    return this.push(makeNode(opType, inputs, output ?? this.fresh(opType.toLowerCase()), attributes));
  }

  /** A node with several outputs. */
  ops(
    opType: string,
    inputs: readonly string[],
    outputCount: number,
    attributes: ShortAttributes = {},
  ): string[] {
    const outputs = Array.from({ length: outputCount }, () => this.fresh(opType.toLowerCase()));
    this.push(makeNode(opType, inputs, outputs, attributes));
    return outputs;
  }

  push(node: Node): string {
    this.nodes.push(node);
    return node.outputs[0]!;
  }

  /** Default float32. */
  scalar(value: number, dtype: FloatType = 'float32'): string {
    return this.constant(`${dtype}:${value}`, (name) => floatTensor(name, [value], [], dtype));
  }

  /** An int64 vector. */
  ints(values: readonly number[]): string {
    return this.constant(`i:${values.join()}`, (name) => integerTensor(name, values));
  }

  /** An int64 of rank 0. */
  int(value: number): string {
    return this.constant(`i0:${value}`, (name) => integerTensor(name, [value], []));
  }

  /** Default float32. */
  floats(values: ArrayLike<number>, dims: readonly number[], dtype: FloatType = 'float32'): string {
    const name = this.fresh('constant');
    this.initializers.push(floatTensor(name, values, dims, dtype));
    return name;
  }

  zeros(dims: readonly number[]): string {
    return this.op('ConstantOfShape', [this.ints(dims)]);
  }

  unary(op: keyof typeof unary, x: string, output?: string): string {
    return this.op(unary[op], [x], {}, output);
  }

  /** The same value under another name. */
  copy(x: string, output?: string): string {
    return this.unary('identity', x, output);
  }

  exp(x: string): string {
    return this.unary('exp', x);
  }

  neg(x: string): string {
    return this.unary('neg', x);
  }

  add(a: string, b: string, output?: string): string {
    return this.op('Add', [a, b], {}, output);
  }

  /** The sum of all parts. */
  total(parts: readonly string[]): string {
    return parts.length === 1 ? parts[0]! : this.op('Sum', parts);
  }

  sub(a: string, b: string, output?: string): string {
    return this.op('Sub', [a, b], {}, output);
  }

  mul(a: string, b: string, output?: string): string {
    return this.op('Mul', [a, b], {}, output);
  }

  div(a: string, b: string, output?: string): string {
    return this.op('Div', [a, b], {}, output);
  }

  max(a: string, b: string): string {
    return this.op('Max', [a, b]);
  }

  greater(a: string, b: string): string {
    return this.op('Greater', [a, b]);
  }

  scale(x: string, factor: number): string {
    return factor === 1 ? x : this.mul(x, this.scalar(factor));
  }

  where(condition: string, a: string, b: string): string {
    return this.op('Where', [condition, a, b]);
  }

  cast(x: string, dtype: DataType, output = this.fresh('cast')): string {
    return this.push(castNode(x, dtype, output));
  }

  matMul(a: string, b: string, output?: string): string {
    return this.op('MatMul', [a, b], {}, output);
  }

  /** A Bᵀ */
  transposedProduct(a: string, b: string): string {
    return this.op('Gemm', [a, b], { transB: 1 });
  }

  /** alpha · x + beta, clipped to 0 … 1. */
  hardSigmoid(x: string, alpha: number, beta: number): string {
    const float = (value: number): AttributeValue => ({ type: 'float', value });
    return this.op('HardSigmoid', [x], { alpha: float(alpha), beta: float(beta) });
  }

  softmax(x: string, axis: number): string {
    return this.op('Softmax', [x], { axis });
  }

  logSoftmax(x: string, axis: number): string {
    return this.op('LogSoftmax', [x], { axis });
  }

  /** Position of the largest element along an axis, which goes. */
  argMax(x: string, axis: number): string {
    return this.op('ArgMax', [x], { axis, keepdims: 0 });
  }

  /** 1 at the position that an index names along a new axis, else 0. */
  oneHot(indices: string, depth: number, axis: number): string {
    return this.op('OneHot', [indices, this.ints([depth]), this.floats([0, 1], [2])], { axis });
  }

  range(start: string, limit: string, step: string): string {
    return this.op('Range', [start, limit, step]);
  }

  reshape(x: string, dims: readonly number[]): string {
    return this.op('Reshape', [x, this.ints(dims)]);
  }

  /** To a shape that the graph computes. */
  reshapeTo(x: string, shape: string): string {
    return this.op('Reshape', [x, shape]);
  }

  transpose(x: string, perm: readonly number[]): string {
    return perm.every((axis, i) => axis === i) ? x : this.op('Transpose', [x], { perm });
  }

  expand(x: string, dims: readonly number[]): string {
    return this.op('Expand', [x, this.ints(dims)]);
  }

  /** From opset 13 on. */
  unsqueeze(x: string, axes: readonly number[]): string {
    return this.op('Unsqueeze', [x, this.ints(axes)]);
  }

  concat(parts: readonly string[], axis: number): string {
    return this.op('Concat', parts, { axis });
  }

  gather(data: string, indices: string, axis = 0): string {
    return this.push(gatherNode(data, indices, axis, this.fresh('gather')));
  }

  /** Zeros around: those before each axis, then those after; negative counts cut off. From opset 11 on. */
  pad(x: string, pads: readonly number[]): string {
    return this.op('Pad', [x, this.ints(pads), this.scalar(0)]);
  }

  slice(
    x: string,
    axes: readonly number[],
    starts: readonly number[],
    ends: readonly number[],
    steps?: readonly number[],
  ): string {
    const bounds = [this.ints(starts), this.ints(ends), this.ints(axes)];
    return this.op('Slice', [x, ...bounds, ...(steps ? [this.ints(steps)] : [])]);
  }

  /** A reduction over axes, which are an attribute at some opsets and an input at others; no axes leave x as it is. */
  reduce(
    kind: keyof typeof reductions,
    x: string,
    axes: readonly number[],
    keepDims: boolean,
    output?: string,
  ): string {
    if (axes.length === 0) return output === undefined ? x : this.copy(x, output);
    const op = reductions[kind];
    const keepdims = keepDims ? 1 : 0;
    const isInput = this.opset >= (kind === 'sum' ? 13 : 18);
    return isInput
      ? this.op(op, [x, this.ints(axes)], { keepdims }, output)
      : this.op(op, [x], { axes, keepdims }, output);
  }

  /** The sum of all elements, as a scalar. */
  sumOfAll(x: string): string {
    return this.op(reductions.sum, [x], { keepdims: 0 });
  }

  private constant(key: string, make: (name: string) => Tensor): string {
    let name = this.shared.get(key);
    if (name === undefined) {
      this.shared.set(key, (name = this.fresh('constant')));
      this.initializers.push(make(name));
    }
    return name;
  }
}
