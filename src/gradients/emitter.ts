import type { Attribute, AttributeValue, Node } from '../onnx/model.js';
import type { Tensor } from '../onnx/tensor.js';
import { floatTensor, integerTensor } from '../onnx/values.js';

/** Attributes in short: a number is an int, a list ints; whole attributes pass as they are. */
export type EmittedAttributes = Readonly<Record<string, number | readonly number[] | string | Attribute>>;

/** Writes nodes of the default domain, in order, each value under a new name. Constants of equal content are shared. */
export class Emitter {
  readonly nodes: Node[] = [];
  readonly initializers: Tensor[] = [];
  private readonly constants = new Map<string, string>();
  private count = 0;

  /**
   * @param prefix what no other name of the graph begins with
   * @param opset of the graph that the nodes become part of, 16 or later
   */
  constructor(
    private readonly prefix: string,
    private readonly opset: number,
  ) {}

  /** A node with one output. */
  op(opType: string, inputs: readonly string[], attributes: EmittedAttributes = {}): string {
    return this.ops(opType, inputs, 1, attributes)[0]!;
  }

  /** A node with several outputs. */
  ops(
    opType: string,
    inputs: readonly string[],
    outputCount: number,
    attributes: EmittedAttributes = {},
  ): string[] {
    const outputs = Array.from({ length: outputCount }, () => this.fresh());
    const entries = Object.entries(attributes).map(([name, value]): [string, Attribute] => [
      name,
      typeof value === 'object' && 'type' in value
        ? value
        : { name, docString: '', reference: '', ...attributeValue(value) },
    ]);
    const attributeMap = new Map(entries);
    this.nodes.push({ name: outputs[0]!, opType, domain: '', inputs, outputs, attributes: attributeMap, docString: '' }); // prettier-ignore
    return outputs;
  }

  /** A float32 constant of rank 0. */
  scalar(value: number): string {
    return this.constant(`f:${value}`, (name) => floatTensor(name, [value], []));
  }

  /** An int64 vector. */
  ints(values: readonly number[]): string {
    return this.constant(`i:${values.join()}`, (name) => integerTensor(name, values));
  }

  /** A float32 constant. */
  floats(values: ArrayLike<number>, dims: readonly number[]): string {
    const name = this.fresh();
    this.initializers.push(floatTensor(name, values, dims));
    return name;
  }

  zeros(dims: readonly number[]): string {
    return this.op('ConstantOfShape', [this.ints(dims)]);
  }

  reshape(value: string, dims: readonly number[]): string {
    return this.op('Reshape', [value, this.ints(dims)]);
  }

  transpose(value: string, perm: readonly number[]): string {
    return perm.every((axis, i) => axis === i) ? value : this.op('Transpose', [value], { perm });
  }

  expand(value: string, dims: readonly number[]): string {
    return this.op('Expand', [value, this.ints(dims)]);
  }

  sum(value: string, axes: readonly number[], keepDims = false): string {
    if (axes.length === 0) return value;
    return this.op('ReduceSum', [value, this.ints(axes)], { keepdims: keepDims ? 1 : 0 });
  }

  mean(value: string, axes: readonly number[], keepDims = false): string {
    if (axes.length === 0) return value;
    return this.reduce('ReduceMean', value, axes, keepDims);
  }

  /** A reduction other than ReduceSum, whose axes have been an input for longer. */
  reduce(opType: string, value: string, axes: readonly number[], keepDims: boolean): string {
    const keepdims = keepDims ? 1 : 0;
    if (this.opset < 18) return this.op(opType, [value], { axes, keepdims });
    return this.op(opType, [value, this.ints(axes)], { keepdims });
  }

  slice(
    value: string,
    axes: readonly number[],
    starts: readonly number[],
    ends: readonly number[],
    steps?: readonly number[],
  ): string {
    // prettier-ignore
    const bounds = [this.ints(starts), this.ints(ends), this.ints(axes)];
    return this.op('Slice', [value, ...bounds, ...(steps ? [this.ints(steps)] : [])]);
  }

  mul(a: string, b: string): string {
    return this.op('Mul', [a, b]);
  }

  add(a: string, b: string): string {
    return this.op('Add', [a, b]);
  }

  sub(a: string, b: string): string {
    return this.op('Sub', [a, b]);
  }

  div(a: string, b: string): string {
    return this.op('Div', [a, b]);
  }

  neg(a: string): string {
    return this.op('Neg', [a]);
  }

  scale(a: string, factor: number): string {
    return factor === 1 ? a : this.mul(a, this.scalar(factor));
  }

  /** 1 where the condition (a boolean value) holds, else 0. */
  indicator(condition: string): string {
    return this.op('Cast', [condition], { to: 1 });
  }

  /**
   * 1 where a value is above 0, else 0. As HardSigmoid of a huge slope: onnxruntime's Sign takes four times as long, and
   * Greater with Cast twice.
   */
  step(value: string): string {
    return this.hardSigmoid(value, 3e38, 0);
  }

  /** alpha · x + beta, clipped to 0 … 1. */
  hardSigmoid(value: string, alpha: number, beta: number): string {
    const float = (name: string, slope: number): Attribute => ({ name, docString: '', reference: '', type: 'float', value: slope }); // prettier-ignore
    return this.op('HardSigmoid', [value], { alpha: float('alpha', alpha), beta: float('beta', beta) });
  }

  where(condition: string, a: string, b: string): string {
    return this.op('Where', [condition, a, b]);
  }

  /** Sums the axes that broadcasting repeated, so that a value of shape `from` gets shape `to`. */
  unbroadcast(value: string, from: readonly number[], to: readonly number[]): string {
    const lead = from.length - to.length;
    const axes = from.flatMap((size, axis) =>
      axis < lead || (to[axis - lead] === 1 && size !== 1) ? [axis] : [],
    );
    const summed = this.sum(value, axes, true);
    return lead > 0 ? this.reshape(summed, to) : summed;
  }

  private constant(key: string, make: (name: string) => Tensor): string {
    let name = this.constants.get(key);
    if (name === undefined) {
      this.constants.set(key, (name = this.fresh()));
      this.initializers.push(make(name));
    }
    return name;
  }

  private fresh(): string {
    return `${this.prefix}${this.count++}`;
  }
}

function attributeValue(value: number | readonly number[] | string): AttributeValue {
  if (typeof value === 'number') return { type: 'int', value: BigInt(value) };
  if (typeof value === 'string') return { type: 'string', value: new TextEncoder().encode(value) };
  return { type: 'ints', value: value.map(BigInt) };
}
