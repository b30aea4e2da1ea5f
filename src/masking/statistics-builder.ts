import type { RoleUse } from '../axes/roles.js';
import { floatAttribute } from '../onnx/attributes.js';
import type { DataType } from '../onnx/data-type.js';
import { opsetOf } from '../onnx/domain.js';
import type { Model, Node } from '../onnx/model.js';
import type { FreshNames } from '../onnx/names.js';
import type { FloatType } from '../onnx/values.js';
import { GraphBuilder } from '../ops/build.js';
import type { AxisChange, ShapeOf } from '../plan/projection.js';

/** A node that takes statistics over axes of its first input, some of which lose channels. */
export interface StatisticsNode {
  readonly model: Model;
  readonly node: Node;
  /** The axes of the first input. */
  readonly x: readonly AxisChange[];
  readonly uses: readonly RoleUse[];
  readonly shapeOf: ShapeOf;
  readonly dtypeOf: (value: string) => DataType | undefined;
}

/** What becomes of the node: it reads another first input, keeps some outputs under other names, or goes. */
export interface Masked {
  readonly input?: string;
  readonly outputs?: readonly string[];
}

/** Writes what takes statistics over the kept indices only. */
export type MaskedForm = (build: StatisticsBuilder) => Masked;

/** By op type; other domains as `domain::Op`. */
export type MaskedForms = Readonly<Record<string, MaskedForm>>;

/** What masked statistics are made of. */
export class StatisticsBuilder extends GraphBuilder {
  readonly node: Node;
  /** The axes that lose channels, ascending. */
  readonly lost: readonly number[];
  readonly dtype: FloatType;
  /** Half floats are normalised in float32, as onnxruntime's own kernels do. */
  readonly work: FloatType;

  constructor(
    names: FreshNames,
    readonly statistics: StatisticsNode,
  ) {
    const { node, uses, dtypeOf, model } = statistics;
    super(opsetOf(model), (hint) => names.take(`${node.outputs[0]}_${hint}`));
    this.node = node;
    this.lost = [...new Set(uses.map(({ axis }) => axis))].sort((a, b) => a - b);
    // The first input of an embedding holds ids.
    this.dtype = (dtypeOf(node.outputs[0]!) ?? 'float32') as FloatType;
    this.work = this.dtype === 'float64' ? 'float64' : 'float32';
  }

  /** Weights of a masked mean: the outer product of m·n/k over the given axes, aligned to the last axis. */
  weights(axes: readonly number[], dtype = this.work): string {
    return this.over(
      axes,
      ({ mask, before, after }, i) => (mask ? (mask[i]! * before) / after : 1),
      product,
      dtype,
    );
  }

  /** 0 for what stays on all axes, else the given value. */
  removedAs(value: number, axes: readonly number[]): string {
    return this.over(axes, ({ mask }, i) => (!mask || mask[i] ? 0 : value), sum, this.dtype);
  }

  normalize(x: string, axes: readonly number[], weights: string, centred: boolean, epsilon?: number) {
    const mean = centred ? this.mean(x, axes, weights) : undefined;
    const centre = mean ? this.sub(x, mean) : x;
    const variance = this.mean(this.mul(centre, centre), axes, weights);
    const small = this.number(epsilon ?? floatAttribute(this.node, 'epsilon', 1e-5));
    const deviation = this.unary('sqrt', this.add(variance, small));
    return { normal: this.div(centre, deviation), mean, deviation };
  }

  input(k: number): string {
    const name = this.node.inputs[k]!;
    return this.work === this.dtype ? name : this.cast(name, this.work);
  }

  /** Gives a value the name of an output of the node, in the node's type. */
  output(k: number, value: string): void {
    const name = this.node.outputs[k];
    if (!name) return;
    // The statistics of a layer norm stay in float32.
    if (this.work !== this.dtype && k === 0) this.cast(value, this.dtype, name);
    else this.copy(value, name);
  }

  number(value: number): string {
    return this.scalar(value, this.work);
  }

  private mean(x: string, axes: readonly number[], weights: string): string {
    return this.reduce('mean', this.mul(x, weights), axes, true);
  }

  /** A constant over the given axes and size 1 on those between, combined entry by entry. */
  private over(
    axes: readonly number[],
    entry: (axis: AxisChange, i: number) => number,
    combine: (a: number, b: number) => number,
    dtype: FloatType,
  ): string {
    const { x } = this.statistics;
    const dims = x.map(({ before }, axis) => (axes.includes(axis) && x[axis]!.mask ? before : 1));
    let values: number[] | undefined;
    dims.forEach((dim, axis) => {
      if (dim === 1) return;
      const list = Array.from({ length: dim }, (_, i) => entry(x[axis]!, i));
      values = values ? values.flatMap((a) => list.map((b) => combine(a, b))) : list;
    });
    return this.floats(values ?? [entry({ before: 1, after: 1, mask: undefined }, 0)], dims, dtype);
  }
}

/** Which positions stay of each block of `inner` on an axis: they are kept alike in all blocks that stay. */
export function keptInner({ mask, before }: AxisChange, inner: number): { kept: number[]; count: number } {
  const kept = Array.from({ length: inner }, (_, c) => {
    for (let at = c; at < before; at += inner) if (!mask || mask[at]) return 1;
    return 0;
  });
  return { kept, count: kept.reduce<number>((sum, bit) => sum + bit, 0) };
}

const product = (a: number, b: number): number => a * b;
const sum = (a: number, b: number): number => a + b;
