import type { RoleUse } from '../axes/roles.js';
import { PruneError } from '../errors.js';
import { floatAttribute, intAttribute, stringAttribute, withAttribute } from '../onnx/attributes.js';
import { dataTypeToNumber, type DataType } from '../onnx/data-type.js';
import { opsetOf } from '../onnx/domain.js';
import type { Model, Node } from '../onnx/model.js';
import { floatTensor, integerTensor, type FloatType } from '../onnx/values.js';
import { makeNode, type ModelEdit } from '../edit/model-edit.js';
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

/**
 * Makes a node take its statistics over the kept indices only. A mean of x over n entries of which k are kept is the
 * mean of x·m·n/k; a maximum adds −∞ to what is removed; normalisations are spelled out with such means.
 * @throws PruneError `unsupported` for an op that has no masked form here.
 */
export function maskStatistics(edit: ModelEdit, index: number, statistics: StatisticsNode): void {
  const { node } = statistics;
  const build = new Builder(edit, statistics);
  const axes = [...new Set(statistics.uses.map(({ axis }) => axis))].sort((a, b) => a - b);
  switch (node.opType) {
    case 'ReduceMean':
      edit.setInput(index, 0, build.op('Mul', node.inputs[0]!, build.weights(axes)));
      return edit.insertBefore(index, build.nodes);
    case 'ReduceMax':
    case 'ReduceMin': {
      const neutral = node.opType === 'ReduceMax' ? -Infinity : Infinity;
      edit.setInput(index, 0, build.op('Add', node.inputs[0]!, build.removedAs(neutral, axes)));
      return edit.insertBefore(index, build.nodes);
    }
    case 'LayerNormalization':
      build.layerNorm(true);
      break;
    case 'RMSNormalization':
    case 'SimplifiedLayerNormalization':
      build.layerNorm(false);
      break;
    case 'InstanceNormalization':
      build.instanceNorm(axes);
      break;
    case 'GroupNormalization':
      build.groupNorm();
      break;
    case 'MeanVarianceNormalization':
      build.meanVariance();
      break;
    case 'SkipLayerNormalization':
      build.skipNorm(true);
      break;
    case 'SkipSimplifiedLayerNormalization':
      build.skipNorm(false);
      break;
    case 'GatedRMSNorm':
      build.gatedNorm();
      break;
    case 'EmbedLayerNormalization': {
      const ids = node.outputs.map((name, k) => (k === 1 || !name ? name : edit.names.take(`${name}_dense`)));
      build.embedNorm();
      edit.insertBefore(index, build.nodes);
      // The node stays for its count of the mask.
      return edit.setNode(index, { ...node, name: '', outputs: ids });
    }
    default:
      throw new PruneError(
        'unsupported',
        `statistics of ${node.opType} can't be masked for the proof; leave its groups out or pass --no-verify`,
      );
  }
  edit.insertBefore(index, build.nodes);
  edit.removeNode(index);
}

/** The default of com.microsoft's norms. */
const normEpsilon = (node: Node): number => floatAttribute(node, 'epsilon', 1e-12);

class Builder {
  readonly nodes: Node[] = [];
  private readonly opset: number;
  private readonly dtype: DataType;
  /** Half floats are normalised in float32, as onnxruntime's own kernels do. */
  private readonly work: FloatType;

  constructor(
    private readonly edit: ModelEdit,
    private readonly statistics: StatisticsNode,
  ) {
    this.opset = opsetOf(statistics.model);
    const { inputs, outputs } = statistics.node;
    const isEmbedding = statistics.node.opType === 'EmbedLayerNormalization';
    this.dtype = statistics.dtypeOf(isEmbedding ? outputs[0]! : inputs[0]!) ?? 'float32';
    const wide = this.dtype === 'float64' || statistics.node.opType.startsWith('Reduce');
    this.work = wide ? (this.dtype as FloatType) : 'float32';
  }

  /** LayerNormalization, or without centring RMSNormalization. */
  layerNorm(centred: boolean): void {
    const { node, x } = this.statistics;
    const first = intAttribute(node, 'axis', -1);
    const axes = x.map((_, axis) => axis).slice(first);
    const { normal, mean, deviation } = this.normalize(this.input(0), axes, this.weights(axes), centred);
    const scaled = this.op('Mul', normal, this.input(1));
    this.output(0, node.inputs[2] ? this.op('Add', scaled, this.input(2)) : scaled);
    if (centred && mean) this.output(1, mean);
    const inverse = centred ? 2 : 1;
    if (node.outputs[inverse]) this.output(inverse, this.op('Div', this.scalar(1), deviation));
  }

  /** Norm of input + skip + bias, which is also an output. */
  skipNorm(centred: boolean): void {
    const { node, x } = this.statistics;
    const bias = centred ? 4 : 3;
    const both = this.op('Add', this.input(0), this.input(1));
    const sum = node.inputs[bias] ? this.op('Add', both, this.input(bias)) : both;
    const last = x.length - 1;
    this.output(3, sum);
    this.scaledNorm(sum, last, 2, centred ? 3 : undefined, centred);
  }

  /** Norm of the sum of word, position and segment embeddings. */
  embedNorm(): void {
    const { node } = this.statistics;
    const rows = (table: number, ids: string): string => this.op('Gather', this.input(table), ids);
    const length = this.op('Gather', this.op('Shape', node.inputs[0]!), this.integer(1));
    const positions = node.inputs[8] || this.op('Range', this.integer(0), length, this.integer(1));
    const words = this.op('Add', rows(2, node.inputs[0]!), rows(3, positions));
    const sum = node.inputs[4] ? this.op('Add', words, rows(4, node.inputs[1]!)) : words;
    this.output(2, sum);
    this.scaledNorm(sum, 2, 5, 6, true);
  }

  /** Norm over one axis, the only one of the scale. */
  private scaledNorm(
    value: string,
    axis: number,
    scale: number,
    shift: number | undefined,
    centred: boolean,
  ): void {
    const { node, x } = this.statistics;
    const { normal } = this.normalize(
      value,
      [axis],
      this.weights([x.length - 1]),
      centred,
      normEpsilon(node),
    );
    const scaled = this.op('Mul', normal, this.input(scale));
    this.output(
      0,
      shift !== undefined && node.inputs[shift] ? this.op('Add', scaled, this.input(shift)) : scaled,
    );
  }

  instanceNorm(axes: readonly number[]): void {
    const { x } = this.statistics;
    const all = x.map((_, axis) => axis).slice(2);
    const { normal } = this.normalize(this.input(0), all, this.weights(axes), true);
    this.scaleAndShift(normal, [x[1]!.before, ...all.map(() => 1)]);
  }

  groupNorm(): void {
    const { node, x } = this.statistics;
    const groups = intAttribute(node, 'num_groups', 1);
    const dims = x.map(({ before }) => before);
    const inner = dims[1]! / groups;
    const { kept, count } = keptInner(x[1]!, inner);
    // Positions are merged below; where some go, their sizes are static.
    const spatial = x.slice(2);
    const losing = spatial.some(({ mask }) => mask !== undefined);
    const positions = (losing ? spatial : []).reduce(
      (list, { mask, before, after }) =>
        list.flatMap((a) =>
          Array.from({ length: before }, (_, i) => (mask ? (a * mask[i]! * before) / after : a)),
        ),
      [1],
    );
    const values = kept.flatMap((bit) => positions.map((weight) => (bit * weight * inner) / count));
    const weights = this.constant(values, [inner, positions.length]);
    // Sizes that may be symbolic are copied (0), inferred (-1) or asked for.
    const nested = this.reshape(this.input(0), [0, groups, inner, -1]);
    const { normal } = this.normalize(nested, [2, 3], weights, true);
    const shape = this.op('Shape', node.inputs[0]!);
    const channels = [dims[1]!, ...dims.slice(2).map(() => 1)];
    if (this.opset >= 21) this.scaleAndShift(this.op('Reshape', normal, shape), channels);
    else this.scaleAndShift(normal, [groups, 1, 1], shape);
  }

  /** Norms of runs as long as the scale, scaled and gated by x·sigmoid(x). */
  gatedNorm(): void {
    const { node, x, uses } = this.statistics;
    const activation = stringAttribute(node, 'activation', 'silu');
    if (activation !== 'silu')
      throw new PruneError(
        'unsupported',
        `the gate '${activation}' of '${node.name || node.outputs[0]}' (GatedRMSNorm) can't be masked for the proof; leave its groups out or pass --no-verify`,
      );
    const inner = uses[0]!.expression.size;
    const { kept, count } = keptInner(x.at(-1)!, inner);
    const weights = this.constant(kept.map((bit) => (bit * inner) / count), [inner]); // prettier-ignore
    const outer = x.slice(1).map(() => 0);
    const nested = this.reshape(this.input(0), [...outer, x.at(-1)!.before / inner, inner]);
    const { normal } = this.normalize(nested, [x.length], weights, false);
    const shape = this.op('Shape', node.inputs[0]!);
    const scaled = this.op('Reshape', this.op('Mul', normal, this.input(1)), shape);
    const gate = this.op('Mul', this.input(2), this.op('Sigmoid', this.input(2)));
    this.output(0, this.op('Mul', scaled, gate));
  }

  meanVariance(): void {
    const { node, x, uses } = this.statistics;
    const given = node.attributes.get('axes');
    const axes =
      given?.type === 'ints' ? given.value.map((a) => (Number(a) + x.length) % x.length) : [0, 2, 3];
    const weights = this.weights([...new Set(uses.map(({ axis }) => axis))].sort((a, b) => a - b));
    this.output(0, this.normalize(this.input(0), axes, weights, true, 1e-9).normal);
  }

  /** Weights of a masked mean: the outer product of m·n/k over the given axes, aligned to the last axis. */
  weights(axes: readonly number[]): string {
    return this.over(axes, ({ mask, before, after }, i) => (mask ? (mask[i]! * before) / after : 1), product);
  }

  /** 0 for what stays on all axes, else the given value. */
  removedAs(value: number, axes: readonly number[]): string {
    return this.over(axes, ({ mask }, i) => (!mask || mask[i] ? 0 : value), sum);
  }

  op(type: string, ...inputs: string[]): string {
    const output = this.edit.names.take(`${this.statistics.node.outputs[0]}_${type.toLowerCase()}`);
    this.nodes.push(makeNode(type, inputs, output));
    return output;
  }

  private normalize(x: string, axes: readonly number[], weights: string, centred: boolean, epsilon?: number) {
    const mean = centred ? this.mean(x, axes, weights) : undefined;
    const centre = mean ? this.op('Sub', x, mean) : x;
    const variance = this.mean(this.op('Mul', centre, centre), axes, weights);
    const small = this.scalar(epsilon ?? floatAttribute(this.statistics.node, 'epsilon', 1e-5));
    const deviation = this.op('Sqrt', this.op('Add', variance, small));
    return { normal: this.op('Div', centre, deviation), mean, deviation };
  }

  private mean(x: string, axes: readonly number[], weights: string): string {
    const weighted = this.op('Mul', x, weights);
    if (this.opset >= 18) return this.op('ReduceMean', weighted, this.integers(axes));
    const output = this.op('ReduceMean', weighted);
    const attribute = { type: 'ints', value: axes.map(BigInt) } as const;
    this.nodes.push(withAttribute(this.nodes.pop()!, 'axes', attribute));
    return output;
  }

  private scaleAndShift(x: string, dims: readonly number[], shape?: string): void {
    const scaled = this.op('Mul', x, this.reshape(this.input(1), dims));
    const shifted = this.op('Add', scaled, this.reshape(this.input(2), dims));
    this.output(0, shape ? this.op('Reshape', shifted, shape) : shifted);
  }

  private input(k: number): string {
    const name = this.statistics.node.inputs[k]!;
    return this.work === this.dtype ? name : this.cast(name, this.work);
  }

  /** Gives a value the name of an output of the node, in the node's type. */
  private output(k: number, value: string): void {
    const { node } = this.statistics;
    const name = node.outputs[k];
    if (!name) return;
    // The statistics of a layer norm stay in float32.
    if (this.work !== this.dtype && k === 0) this.cast(value, this.dtype);
    else this.op('Identity', value);
    this.nodes.push({ ...this.nodes.pop()!, name, outputs: [name] });
  }

  private cast(value: string, dtype: DataType): string {
    const output = this.op('Cast', value);
    const to = { type: 'int', value: BigInt(dataTypeToNumber(dtype)) } as const;
    this.nodes.push(withAttribute(this.nodes.pop()!, 'to', to));
    return output;
  }

  private reshape(value: string, dims: readonly number[]): string {
    return this.op('Reshape', value, this.integers(dims));
  }

  private integers(values: readonly number[]): string {
    const name = this.edit.names.take(`${this.statistics.node.outputs[0]}_dims`);
    this.edit.addTensor(integerTensor(name, values));
    return name;
  }

  private integer(value: number): string {
    const name = this.edit.names.take(`${this.statistics.node.outputs[0]}_index`);
    this.edit.addTensor(integerTensor(name, [value], []));
    return name;
  }

  private scalar(value: number): string {
    return this.constant([value], []);
  }

  private constant(values: ArrayLike<number>, dims: readonly number[]): string {
    const name = this.edit.names.take(`${this.statistics.node.outputs[0]}_mask`);
    this.edit.addTensor(floatTensor(name, values, dims, this.work));
    return name;
  }

  /** A constant over the given axes and size 1 on those between, combined entry by entry. */
  private over(
    axes: readonly number[],
    entry: (axis: AxisChange, i: number) => number,
    combine: (a: number, b: number) => number,
  ): string {
    const { x } = this.statistics;
    const dims = x.map(({ before }, axis) => (axes.includes(axis) && x[axis]!.mask ? before : 1));
    let values: number[] | undefined;
    dims.forEach((dim, axis) => {
      if (dim === 1) return;
      const list = Array.from({ length: dim }, (_, i) => entry(x[axis]!, i));
      values = values ? values.flatMap((a) => list.map((b) => combine(a, b))) : list;
    });
    return this.constant(values ?? [entry({ before: 1, after: 1, mask: undefined }, 0)], dims);
  }
}

/** Of an axis of blocks of `inner` positions, which of them stay: they are kept alike in all blocks that stay. */
function keptInner({ mask, before }: AxisChange, inner: number): { kept: number[]; count: number } {
  const kept = Array.from({ length: inner }, (_, c) => {
    for (let at = c; at < before; at += inner) if (!mask || mask[at]) return 1;
    return 0;
  });
  return { kept, count: kept.reduce<number>((sum, bit) => sum + bit, 0) };
}

const product = (a: number, b: number): number => a * b;
const sum = (a: number, b: number): number => a + b;
