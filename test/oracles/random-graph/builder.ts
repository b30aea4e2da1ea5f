/**
 * Builds random graphs step by step. Shapes are computed here and not by the engine, so that they are a check of
 * its shapes too.
 */
import type { DataType } from '../../../src/onnx/data-type.js';
import type { Model, Node, ValueInfo } from '../../../src/onnx/model.js';
import { elementCount, type Tensor } from '../../../src/onnx/tensor.js';
import { floatTensor, integerTensor } from '../../../src/onnx/values.js';
import { normal, randomGenerator, type RandomGenerator } from '../../../src/random/random.js';
import { model, node, value } from '../../shapes/build-model.js';
import type { Choices } from './choices.js';

/** A value of the graph. The first axis of float32 values of the pool is the batch. */
export interface Value {
  readonly name: string;
  readonly dims: readonly number[];
  readonly dtype: DataType;
}

export type Attributes = Parameters<typeof node>[3];

export interface GraphSettings {
  readonly opset: number;
  readonly batch: number;
  /** Whether the batch is a name in the file; it must be 1 then, the size that is assumed for it. */
  readonly symbolic: boolean;
  readonly seed: number;
}

/** Values that are larger don't make a graph more telling, only slower. */
const maxElements = 6000;

export class GraphBuilder {
  readonly nodes: Node[] = [];
  readonly initializers: Tensor[] = [];
  readonly inputs: ValueInfo[] = [];
  readonly inputDims = new Map<string, readonly number[]>();
  /** Dims of all values that were built, by name. */
  readonly dims = new Map<string, readonly number[]>();
  private readonly pool: Value[] = [];
  private readonly read = new Set<string>();
  private readonly random: RandomGenerator;
  private count = 0;

  constructor(readonly settings: GraphSettings) {
    this.random = randomGenerator(settings.seed);
  }

  get opset(): number {
    return this.settings.opset;
  }

  input(dims: readonly number[]): Value {
    const name = `input${this.inputs.length}`;
    const shape = this.settings.symbolic ? ['batch', ...dims.slice(1)] : dims;
    this.inputs.push(value(name, shape));
    this.inputDims.set(name, dims);
    return this.made(name, dims);
  }

  /** Adds a node with one output, without offering it to later steps. */
  op(
    type: string,
    inputs: readonly (Value | string | undefined)[],
    dims: readonly number[],
    attributes: Attributes = {},
    dtype: DataType = 'float32',
  ): Value {
    return this.multi(type, inputs, [dims], attributes, dtype)[0]!;
  }

  /** Adds a node with several outputs; undefined leaves one out. */
  multi(
    type: string,
    inputs: readonly (Value | string | undefined)[],
    outputs: readonly (readonly number[] | undefined)[],
    attributes: Attributes = {},
    dtype: DataType = 'float32',
  ): Value[] {
    const operands = inputs.map((x) => (x === undefined ? '' : typeof x === 'string' ? x : x.name));
    while (operands.at(-1) === '') operands.pop();
    for (const name of operands) this.read.add(name);
    const names = outputs.map((dims) => (dims ? `v${this.count++}` : ''));
    const name = `${type.split(':').at(-1)!.toLowerCase()}_${this.nodes.length}`;
    this.nodes.push(node(type, operands, names, attributes, name));
    return outputs.flatMap((dims, i) => (dims ? [this.made(names[i]!, dims, dtype)] : []));
  }

  /** Adds a node and offers its output to later steps. */
  step(...args: Parameters<GraphBuilder['op']>): Value {
    return this.offer(this.op(...args));
  }

  offer(x: Value): Value {
    if (x.dims.length > 1 && elementCount(x.dims) <= maxElements) this.pool.push(x);
    return x;
  }

  /** A value that meets the condition, recent ones more often. */
  pick(choices: Choices, accepts: (x: Value) => boolean = () => true): Value | undefined {
    const fitting = this.pool.filter(accepts);
    const back = Math.min(choices.below(fitting.length || 1), choices.below(fitting.length || 1));
    return fitting[fitting.length - 1 - back];
  }

  /** A value of the given rank; one is made if there is none. */
  ofRank(choices: Choices, rank: number, accepts: (x: Value) => boolean = () => true): Value | undefined {
    const found = this.pick(choices, (x) => x.dims.length === rank && accepts(x));
    if (found) return found;
    const other = this.pick(choices);
    if (!other) return undefined;
    const [n, ...rest] = other.dims;
    const dims = [n!, ...rest.slice(0, rank - 1)];
    while (dims.length < rank) dims.push(1);
    dims[rank - 1]! *= elementCount(rest.slice(rank - 1));
    const made = this.offer(this.reshape(other, dims, choices));
    return accepts(made) ? made : undefined;
  }

  /** Reshapes to dims that start with the batch too, with all the ways in which exporters write the target. */
  reshape(x: Value, dims: readonly number[], choices: Choices): Value {
    const form = choices.below(6);
    const rest = dims.slice(1);
    if (form === 0 && !this.settings.symbolic) return this.op('Reshape', [x, this.ints(dims)], dims);
    if (form === 1 && rest.length > 0) {
      const free = choices.below(rest.length);
      return this.op('Reshape', [x, this.ints([0, ...rest.with(free, -1)])], dims);
    }
    if (form === 2) return this.op('Reshape', [x, this.ints([-1, ...rest])], dims);
    if (form >= 4) {
      const shape = this.op('Shape', [x], [x.dims.length], {}, 'int64');
      const batch =
        form === 4 || this.opset < 10
          ? this.op('Gather', [shape, this.ints([0])], [1], { axis: 0 }, 'int64')
          : this.op('Slice', [shape, this.ints([0]), this.ints([1])], [1], {}, 'int64');
      // Some take the sizes that stay from the shape as well.
      const same = rest.findIndex((dim, i) => x.dims[i + 1] !== dim);
      const copied = choices.flag() ? (same < 0 ? rest.length : same) : 0;
      const parts = [batch];
      for (let i = 0; i < copied; i++)
        parts.push(this.op('Gather', [shape, this.ints([i + 1])], [1], { axis: 0 }, 'int64'));
      if (copied < rest.length) parts.push(this.ints(rest.slice(copied)));
      const target = this.op('Concat', parts, [dims.length], { axis: 0 }, 'int64');
      return this.op('Reshape', [x, target], dims);
    }
    return this.op('Reshape', [x, this.ints([0, ...rest])], dims);
  }

  /** A float parameter in one of the forms that files have. */
  weight(dims: readonly number[], choices: Choices, how: { positive?: boolean; scale?: number } = {}): Value {
    const form = choices.below(14);
    const draw = (): number => (how.positive ? 0.5 + this.random() : normal(this.random) * (how.scale ?? 1));
    const tensor = (shape: readonly number[]): Value =>
      this.constant(
        floatTensor(`w${this.count++}`, Array.from({ length: elementCount(shape) }, draw), shape),
      );
    if (form === 1) return this.op('Identity', [tensor(dims)], dims);
    if (form === 2 && dims.length > 1) {
      const perm = dims.map((_, i) => dims.length - 1 - i);
      return this.op('Transpose', [tensor(dims.toReversed())], dims, { perm });
    }
    if (form === 3 && dims.length > 0)
      return this.op('Reshape', [tensor([elementCount(dims)]), this.ints(dims)], dims);
    if (form === 4) {
      const wide = floatTensor(
        `w${this.count++}`,
        Array.from({ length: elementCount(dims) }, draw),
        dims,
        'float64',
      );
      return this.op('Cast', [this.constant(wide)], dims, { to: 1 });
    }
    if (form === 5) {
      const values = Array.from({ length: elementCount(dims) }, draw);
      return this.op('Constant', [], dims, { value: floatTensor('', values, dims) });
    }
    if (form === 6 && !how.positive) {
      const shared = this.initializers.find(
        (other) =>
          other.dtype === 'float32' && other.dims.join() === dims.join() && !other.name.startsWith('p'),
      );
      if (shared) return this.made(shared.name, dims);
    }
    if (how.positive) {
      const values = Array.from({ length: elementCount(dims) }, draw);
      return this.constant(floatTensor(`p${this.count++}`, values, dims));
    }
    return tensor(dims);
  }

  scalar(x: number): Value {
    return this.constant(floatTensor(`s${this.count++}`, [x], []));
  }

  ints(
    values: readonly number[],
    dims: readonly number[] = [values.length],
    dtype: DataType = 'int64',
  ): Value {
    return this.constant(integerTensor(`i${this.count++}`, values, dims, dtype));
  }

  floats(values: readonly number[], dims: readonly number[] = [values.length]): Value {
    return this.constant(floatTensor(`s${this.count++}`, values, dims));
  }

  below(bound: number): number {
    return Math.floor(this.random() * bound);
  }

  private constant(tensor: Tensor): Value {
    this.initializers.push(tensor);
    return this.made(tensor.name, tensor.dims, tensor.dtype);
  }

  private made(name: string, dims: readonly number[], dtype: DataType = 'float32'): Value {
    this.dims.set(name, dims);
    return { name, dims, dtype };
  }

  /** Values that nothing reads, latest first. */
  loose(): Value[] {
    return this.pool.filter(({ name }) => !this.read.has(name)).reverse();
  }

  build(outputs: readonly Value[]): Model {
    const { nodes, initializers, inputs } = this;
    const described = outputs.map(({ name, dtype }) => value(name, undefined, dtype));
    return model(
      { nodes, initializers, inputs, outputs: described },
      this.opset,
      nodes.some(({ domain }) => domain) ? ['com.microsoft'] : [],
      8 + (this.opset > 20 ? 2 : 0),
    );
  }
}

/** One kind of step: adds some nodes, or nothing where no value fits. The key is the op that it is there for. */
export type Step = (g: GraphBuilder, c: Choices) => void;
export interface StepKind {
  readonly step: Step;
  /** First opset with the op, and the last one that has it or that onnxruntime has a kernel for. */
  readonly since?: number;
  readonly until?: number;
}
export type Steps = Readonly<Record<string, Step | StepKind>>;

/** The same step for each op of a list of words. */
export function stepsFor(
  ops: string,
  make: (op: string) => Step,
  since = 0,
  until = Infinity,
): Record<string, StepKind> {
  return Object.fromEntries(
    ops
      .trim()
      .split(/\s+/)
      .map((op) => [op, { step: make(op), since, until }]),
  );
}

/** The type of an op of onnxruntime's own. */
export const microsoft = (op: string): string => `com.microsoft:${op}`;
