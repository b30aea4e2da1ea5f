import type { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-common';
import { encodeModel } from '../onnx/codec.js';
import type { DataType } from '../onnx/data-type.js';
import { graphModel, rankedInfo } from '../onnx/graph-model.js';
import type { Model } from '../onnx/model.js';
import { elementCount } from '../onnx/tensor.js';
import { GraphBuilder } from '../ops/build.js';
import type { Runtime } from '../runtime/runtime.js';
import { type ConvGeometry, windowTable } from './geometry.js';
import type { SecondMoments } from './second-moments.js';

/** The rows that a layer's input consists of: windows of a convolution, or all but the contracted axis. */
export type RowSource =
  | {
      readonly kind: 'conv';
      readonly geometry: ConvGeometry;
    }
  | {
      readonly kind: 'linear';
      /** Contracted columns of the whole input, and outputs. */
      readonly columns: number;
      readonly outputs: number;
      /** The contracted axis comes first (`transA` of Gemm). */
      readonly transposed: boolean;
      readonly recurrence?: RecurrentRows | undefined;
    };

/** A product inside a recurrence: y is fed with the dense model's input, and the wanted output made of it. */
export interface RecurrentRows {
  /** [outputs, columns] */
  readonly matrix: Float32Array;
  /** x and y are states [steps, directions, batch, columns]: of one direction, those that a further step reads. */
  readonly ofState: boolean;
  readonly direction: number;
  readonly isReversed: boolean;
}

/** What moments are taken of. Columns of a convolution are ordered (kernel entry, input channel). */
export interface MomentSpec {
  readonly source: RowSource;
  readonly xDtype: DataType;
  readonly yDtype: DataType;
  /** After selection; inputs (channels) and outputs of one group. */
  readonly groups: number;
  readonly inputs: number;
  readonly outputs: number;
  /** Positions that are looked at, on the channel axis (or the contracted one); undefined: all. */
  readonly keptInputs: Int32Array | undefined;
  readonly keptOutputs: Int32Array | undefined;
  /** Adds (a − b) · scale to y, for two more values: scale by output channel. */
  readonly shortcut: Float32Array | undefined;
  /** Whether products of y with x are taken. Default true. */
  readonly hasProducts?: boolean;
}

/** Summarises batches of a layer's input and wanted output in onnxruntime. */
export class MomentSession {
  private constructor(
    private readonly runtime: Runtime,
    private readonly spec: MomentSpec,
    private readonly session: InferenceSession,
  ) {}

  static async open(runtime: Runtime, spec: MomentSpec): Promise<MomentSession> {
    return new MomentSession(runtime, spec, await runtime.load(encodeModel(momentModel(spec))));
  }

  /**
   * Adds one batch.
   * @param draw which of `count` rows (positions of each image) to look at
   */
  async add(
    moments: SecondMoments,
    x: RuntimeTensor,
    y: RuntimeTensor,
    shortcut: readonly [RuntimeTensor, RuntimeTensor] | undefined,
    draw: (count: number) => Int32Array,
  ): Promise<void> {
    const { runtime, spec } = this;
    const feeds: Record<string, RuntimeTensor> = { x, y };
    if (shortcut) [feeds['a'], feeds['b']] = shortcut;
    const { source } = spec;
    const images = source.kind === 'conv' ? x.dims[0]! : 1;
    const count = source.kind === 'conv' ? elementCount(y.dims.slice(2)) : rowsOf(source, x.dims);
    const positions = draw(count);
    feeds['positions'] = runtime.tensor('int64', BigInt64Array.from(positions, BigInt), [positions.length]);
    if (source.kind === 'conv') {
      const table = windowTable(source.geometry, x.dims.slice(2), y.dims.slice(2), positions);
      feeds['windows'] = runtime.tensor('int64', table, [positions.length, table.length / positions.length]);
    }
    const found = await this.session.run(feeds);
    const of = (name: string): Float32Array => found[name]!.data as Float32Array;
    moments.add({
      rows: images * positions.length,
      xMean: of('xMean'),
      yMean: of('yMean'),
      xx: of('xx'),
      yx: spec.hasProducts === false ? undefined : of('yx'),
      yy: of('yy'),
    });
  }

  release(): Promise<void> {
    return this.session.release();
  }
}

function rowsOf(
  { columns, recurrence }: Extract<RowSource, { kind: 'linear' }>,
  dims: readonly number[],
): number {
  return recurrence?.ofState ? (dims[0]! - 1) * dims[2]! : elementCount(dims) / columns;
}

/** Opset of the moment graphs. */
const momentOpset = 17;

function momentModel(spec: MomentSpec): Model {
  const { source } = spec;
  const build = new Builder();
  const isConv = source.kind === 'conv';
  const rank = isConv ? source.geometry.kernel.length + 2 : undefined;
  let y = build.float('y', spec.yDtype);
  if (spec.shortcut) {
    const dims = isConv
      ? [spec.shortcut.length, ...source.geometry.kernel.map(() => 1)]
      : [spec.shortcut.length];
    const gap = build.sub(build.float('a', spec.yDtype), build.float('b', spec.yDtype));
    y = build.add(y, build.mul(gap, build.floats(spec.shortcut, dims)));
  }
  const x = build.float('x', spec.xDtype);
  const rows = isConv ? convRows(build, spec, source, x, y) : linearRows(build, spec, source, x, y);
  const xc = build.centre(rows.x, 'xMean');
  const yc = build.centre(rows.y, 'yMean');
  build.matMul(build.transpose(xc, [0, 2, 1]), xc, 'xx');
  const hasProducts = spec.hasProducts ?? true;
  if (hasProducts) build.matMul(build.transpose(yc, [0, 2, 1]), xc, 'yx');
  build.reduce('sumOfSquares', yc, [1], true, 'yy');
  const inputs = [
    rankedInfo('x', spec.xDtype, rank),
    rankedInfo('y', spec.yDtype, rank),
    rankedInfo('positions', 'int64', 1),
  ];
  if (spec.shortcut) for (const name of ['a', 'b']) inputs.push(rankedInfo(name, spec.yDtype, rank));
  if (isConv) inputs.push(rankedInfo('windows', 'int64', 2));
  return graphModel({
    nodes: build.nodes,
    inputs,
    outputs: ['xMean', 'yMean', 'xx', 'yy', ...(hasProducts ? ['yx'] : [])],
    initializers: build.initializers,
    opset: momentOpset,
  });
}

interface Rows {
  /** [groups, rows, inputs] and [groups, rows, outputs] */
  readonly x: string;
  readonly y: string;
}

function convRows(
  build: Builder,
  spec: MomentSpec,
  { geometry }: Extract<RowSource, { kind: 'conv' }>,
  x: string,
  y: string,
): Rows {
  const { groups, inputs } = spec;
  const pads = [0, 0, ...geometry.pads.map(([begin]) => begin), 0, 0, ...geometry.pads.map(([, end]) => end)];
  const entries = geometry.kernel.reduce((a, b) => a * b, 1);
  let image = build.pick(x, spec.keptInputs, 1);
  if (pads.some((pad) => pad > 0)) image = build.pad(image, pads);
  // Channels last, so that a window's entry is one run of channels.
  const flat = build.transpose(build.reshape(image, [0, 0, -1]), [0, 2, 1]);
  const windows = build.gather(flat, 'windows', 1);
  const outputs = build.transpose(build.reshape(build.pick(y, spec.keptOutputs, 1), [0, 0, -1]), [0, 2, 1]);
  const drawn = build.gather(outputs, 'positions', 1);
  const columns = entries * inputs;
  if (groups === 1)
    return { x: build.reshape(windows, [1, -1, columns]), y: build.reshape(drawn, [1, -1, spec.outputs]) };
  const split = build.reshape(windows, [-1, entries, groups, inputs]);
  return {
    x: build.reshape(build.transpose(split, [2, 0, 1, 3]), [groups, -1, columns]),
    y: build.transpose(build.reshape(drawn, [-1, groups, spec.outputs]), [1, 0, 2]),
  };
}

function linearRows(
  build: Builder,
  spec: MomentSpec,
  { columns, outputs, transposed, recurrence }: Extract<RowSource, { kind: 'linear' }>,
  x: string,
  y: string,
): Rows {
  const drawn = (value: string): string => build.gather(value, 'positions');
  const flat = (value: string): string =>
    build.reshape(recurrence?.ofState ? earlierStates(build, recurrence, value) : value, [-1, columns]);
  const inputs = flat(transposed ? build.transpose(x, [1, 0]) : x);
  const wanted = recurrence
    ? build.transposedProduct(flat(y), build.floats(recurrence.matrix, [outputs, columns]))
    : build.reshape(y, [-1, outputs]);
  return {
    x: build.unsqueeze(build.pick(drawn(inputs), spec.keptInputs, 1), [0]),
    y: build.unsqueeze(build.pick(drawn(wanted), spec.keptOutputs, 1), [0]),
  };
}

/** The states of one direction that its next step reads; what the first step reads is not among them. */
function earlierStates(build: Builder, { direction, isReversed }: RecurrentRows, value: string): string {
  const own = build.pick(value, Int32Array.of(direction), 1);
  const [start, end] = isReversed ? [1, 2 ** 31] : [0, -1];
  return build.slice(own, [0], [start], [end]);
}

/** Writes the nodes of a moment graph. */
class Builder extends GraphBuilder {
  constructor() {
    let count = 0;
    super(momentOpset, () => `v${count++}`);
  }

  float(value: string, dtype: DataType): string {
    return dtype === 'float32' ? value : this.cast(value, 'float32');
  }

  /** All positions of an axis where no indices are given. */
  pick(value: string, indices: Int32Array | undefined, axis: number): string {
    return indices ? this.gather(value, this.ints([...indices]), axis) : value;
  }

  /** The value less its mean over rows, which is output under a name. */
  centre(value: string, mean: string): string {
    return this.sub(value, this.reduce('mean', value, [1], true, mean));
  }
}
