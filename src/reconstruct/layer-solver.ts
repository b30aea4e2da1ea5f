import type { Tensor as RuntimeTensor } from 'onnxruntime-common';
import type { AxisCoupling } from '../axes/couple.js';
import type { MatrixProduct } from '../linear/product.js';
import { isFloat } from '../onnx/data-type.js';
import { elementCount, type Tensor } from '../onnx/tensor.js';
import {
  encodeFloats,
  floatsOf,
  floatTensor,
  withBytes,
  type Floats,
  type FloatType,
} from '../onnx/values.js';
import type { Projection } from '../plan/projection.js';
import type { Runtime } from '../runtime/runtime.js';
import { convGeometry } from '../statistics/geometry.js';
import { MomentSession, type MomentSpec } from '../statistics/layer-moments.js';
import { SecondMoments } from '../statistics/second-moments.js';
import type { DataType } from '../onnx/data-type.js';
import type { BiasSink } from '../layers/bias.js';
import { drawRows } from '../statistics/draw.js';
import { forEachKept, keptColumns, type KeptPart, type Layer } from '../layers/layer.js';
import { inputKeyOf, keyOf, type SolveOrder, type LayerTurn } from './solve-order.js';
import { repairLayer, type Repair } from './repair.js';
import { isScarce } from './scarce.js';
import { chooseDamping, solveLayer, type Solution } from './solve.js';
import type { WaveBatch, WaveSolver } from './propagate.js';
import { drawCounted } from '../statistics/counted-rows.js';

/** What became of one layer. */
export interface LayerOutcome {
  readonly node: string;
  /** Squared error of the layer's output as a share of its variance: with the remaining weights as they were, and now. */
  readonly before: number;
  readonly after: number;
  /** Damping used; larger than asked for where the inputs' moments were not positive definite. */
  readonly damping: number;
  /** Rows it was solved on. */
  readonly rows: number;
}

interface Context {
  readonly analysis: AxisCoupling;
  readonly projection: Projection;
  readonly runtime: Runtime;
  readonly product: MatrixProduct;
  /** Receives the new constants. */
  readonly weights: Map<number, Map<number, Tensor>>;
  readonly damping: number;
  readonly maxRows: number;
  readonly seed: number;
  readonly shortcuts: boolean;
  readonly repair: Repair;
}

/** Positions of an image say less than as many of several: there are to be this many times as many as are drawn. */
const spread = 4;

/** Examples that are looked at however many rows each has. */
const fewestExamples = 128;

/** One layer of a wave while its moments are taken. */
interface Turn extends LayerTurn {
  readonly kept: KeptPart;
  readonly keys: { readonly x: string; readonly y: string; readonly shortcut?: readonly [string, string] };
  moments?: OpenMoments;
}

interface OpenMoments {
  readonly session: MomentSession;
  /** Every other batch by itself where rows are few, to judge dampings on. */
  readonly parts: readonly [SecondMoments, SecondMoments?];
  /** Rows of each image, or of each batch, that are drawn. */
  readonly share: number;
}

/** Takes the moments of the layers of one wave after the other, solves and writes their new weights. */
export class LayerSolver {
  constructor(private readonly context: Context) {}

  open(turns: readonly LayerTurn[], order: SolveOrder, onLayer: (outcome: LayerOutcome) => void): WaveSolver {
    const wave = turns.map((turn) => this.turn(turn, order));
    return {
      enough: (first) =>
        Math.max(...wave.map(({ layer, keys }) => this.enough(layer, first.values[keys.y]!, first.size))),
      add: async (batch, number, examples) => {
        for (const turn of wave) {
          turn.moments ??= await this.openMoments(turn, batch, examples);
          await this.add(turn, turn.moments, batch, number);
        }
      },
      finish: async () => {
        for (const { layer, kept, moments } of wave) {
          await moments!.session.release();
          onLayer(await this.apply(layer, kept, moments!.parts));
        }
      },
    };
  }

  private turn(turn: LayerTurn, { differing }: SolveOrder): Turn {
    const { layer, hasShortcut } = turn;
    const { shortcuts, repair } = this.context;
    const value = hasShortcut && shortcuts && repair === 'weights' ? layer.shortcut!.value : undefined;
    const keys = {
      x: inputKeyOf(differing, layer),
      y: layer.y,
      ...(value !== undefined && { shortcut: [value, keyOf(differing, value, true)] as const }),
    };
    return { ...turn, kept: this.keptPart(layer), keys };
  }

  /** Examples that have as many rows as are drawn, with some to choose from. */
  private enough(layer: Layer, { dims }: RuntimeTensor, size: number): number {
    const rows = rowsOf(layer, dims) / (layer.kind === 'conv' ? 1 : size);
    return Math.max(fewestExamples, Math.ceil((spread * this.context.maxRows) / rows));
  }

  private async openMoments(turn: Turn, { values, size }: WaveBatch, examples: number): Promise<OpenMoments> {
    const { layer, kept, keys } = turn;
    const { maxRows, repair, runtime } = this.context;
    const [x, y] = [values[keys.x]!, values[keys.y]!];
    const shortcut = keys.shortcut && scaleOf(layer, layer.shortcut?.gain);
    const spec = this.specOf(layer, kept, x.dims, y.type, shortcut);
    const batches = Math.ceil(examples / size);
    const parts = layer.kind === 'conv' ? batches * x.dims[0]! : batches;
    const share = Math.ceil(maxRows / parts);
    const columns = keptColumns(layer, kept);
    const rows = parts * Math.min(share, rowsOf(layer, y.dims));
    const isSplit = repair === 'weights' && isScarce(rows, columns) && batches > 1;
    const empty = (): SecondMoments => new SecondMoments(spec.groups, columns, spec.outputs);
    return {
      session: await MomentSession.open(runtime, spec),
      parts: isSplit ? [empty(), empty()] : [empty()],
      share,
    };
  }

  private async add(
    { layer, keys }: Turn,
    { session, parts, share }: OpenMoments,
    batch: WaveBatch,
    number: number,
  ): Promise<void> {
    const { values } = batch;
    const [x, y] = [values[keys.x]!, values[keys.y]!];
    const shortcut = keys.shortcut && ([values[keys.shortcut[0]]!, values[keys.shortcut[1]]!] as const);
    const seed = `${this.context.seed}:${layer.name}:${number}`;
    await session.add(parts[number % parts.length]!, x, y, shortcut, (count) =>
      layer.kind === 'conv' ? drawRows(count, share, seed) : drawCounted(batch, x.dims, count, share, seed),
    );
  }

  private keptPart(layer: Layer): KeptPart {
    const { analysis, projection } = this.context;
    const axes = analysis.parameters.find(
      ({ node, input }) => node === layer.node && input === layer.weightInput,
    )!.axes;
    const { rows, inputs } = layer.layout;
    const keptRows = projection.kept(axes[layer.outputAxis]!) ?? range(rows);
    const size = rows / layer.groups;
    const byGroup = new Map<number, number[]>();
    for (const row of keptRows) {
      const group = Math.floor(row / size);
      const list = byGroup.get(group);
      if (list) list.push(row);
      else byGroup.set(group, [row]);
    }
    return {
      rows: [...byGroup.values()].map((list) => Int32Array.from(list)),
      inputs: projection.kept(axes[layer.inputAxis]!) ?? range(inputs),
    };
  }

  private specOf(
    layer: Layer,
    kept: KeptPart,
    xDims: readonly number[],
    dtype: DataType,
    shortcut: Float32Array | undefined,
  ): MomentSpec {
    const { layout, groups, weight, transposed } = layer;
    const node = this.context.analysis.model.graph.nodes[layer.node]!;
    const size = layout.rows / groups;
    const channels = kept.rows.flatMap((rows) => {
      const group = Math.floor(rows[0]! / size);
      return Array.from(kept.inputs, (input) => group * layout.inputs + input);
    });
    const outputs = kept.rows.flatMap((rows) => [...rows]);
    const all = layout.inputs * groups;
    return {
      source:
        layer.kind === 'conv'
          ? { kind: 'conv', geometry: convGeometry(node, weight.tensor.dims.slice(2), xDims.slice(2)) }
          : {
              kind: 'linear',
              columns: layout.inputs,
              outputs: layout.rows,
              transposed,
              recurrence: layer.recurrence && { ...layer.recurrence, matrix: matrixOf(layer) },
            },
      xDtype: dtype,
      yDtype: dtype,
      groups: kept.rows.length,
      inputs: kept.inputs.length,
      outputs: kept.rows[0]!.length,
      keptInputs: channels.length < all ? Int32Array.from(channels) : undefined,
      keptOutputs: outputs.length < layout.rows ? Int32Array.from(outputs) : undefined,
      shortcut,
    };
  }

  private async apply(
    layer: Layer,
    kept: KeptPart,
    [moments, held]: readonly [SecondMoments, SecondMoments?],
  ): Promise<LayerOutcome> {
    const { damping, product, repair } = this.context;
    const { alpha, bias: sink } = layer;
    const weight = layer.weight.tensor;
    const values = floatsOf(weight);
    const matrix = new Float64Array(moments.groups * moments.outputs * moments.inputs);
    forEachKept(layer, kept, (inWeight, inMatrix) => (matrix[inMatrix] = alpha * values[inWeight]!));
    const { weights } = this.context;
    const known = sink && (weights.get(sink.node)?.get(sink.input) ?? sink.tensor);
    const old = known && floatsOf(known);
    const rows = kept.rows.flatMap((list) => [...list]);
    const bias = Float64Array.from(rows, (row) => (sink?.kind === 'own' ? sink.factor * old![row]! : 0));
    const hasBias = sink !== undefined;
    const options = { damping, centred: hasBias, product };
    if (held) {
      options.damping = await chooseDamping(moments, held, matrix, bias, options);
      moments.add(held);
    }
    const solution =
      repair === 'weights'
        ? await solveLayer(moments, matrix, bias, options)
        : await repairLayer(moments, matrix, bias, { repair, hasBias, product });
    const { before, after } = solution;
    const outcome = { node: layer.name, before, after, damping: solution.damping, rows: moments.rows };
    if (repair === 'statistics' && sink?.variance) {
      this.recalibrate(sink, sink.variance, rows, solution, moments);
      return outcome;
    }
    // Zero where channels go: the masked model reads this weight in place of its masked one.
    const written = weights.get(layer.node)?.get(layer.weightInput);
    const solved = written ? Float64Array.from(floatsOf(written)) : new Float64Array(values.length);
    forEachKept(layer, kept, (inWeight, inMatrix) => (solved[inWeight] = solution.matrix[inMatrix]! / alpha));
    this.write(layer.node, layer.weightInput, withFloats(weight, solved));
    if (sink) this.writeBias(layer, sink, rows, solution, old);
    return outcome;
  }

  /** A BatchNormalization right behind a layer takes the statistics that it sees now. */
  private recalibrate(
    sink: BiasSink,
    variance: Tensor,
    rows: readonly number[],
    { statistics }: Solution,
    { rows: count }: SecondMoments,
  ): void {
    const [means, variances] = [floatsOf(sink.tensor!).slice(), floatsOf(variance).slice()];
    rows.forEach((row, i) => {
      means[row] = statistics!.mean[i]!;
      variances[row] = statistics!.squares[i]! / count;
    });
    this.write(sink.node, sink.input, withFloats(sink.tensor!, means));
    this.write(sink.node, sink.input + 1, withFloats(variance, variances));
  }

  private writeBias(
    layer: Layer,
    sink: BiasSink,
    rows: readonly number[],
    { offset }: Solution,
    old: Floats | undefined,
  ): void {
    const values = old?.slice() ?? new Float64Array(layer.layout.rows);
    rows.forEach((inLayer, i) => {
      const row = (sink.start ?? 0) + inLayer;
      const shift = offset[i]!;
      if (sink.kind === 'own' || sink.kind === 'created') values[row] = shift / sink.factor;
      else values[row]! += sink.kind === 'add' ? shift : -shift;
    });
    const { dtype } = layer.weight.tensor;
    const tensor = sink.tensor
      ? withFloats(sink.tensor, values)
      : floatTensor('', values, [values.length], dtype as FloatType);
    this.write(sink.node, sink.input, tensor);
  }

  private write(node: number, input: number, tensor: Tensor): void {
    const { weights } = this.context;
    const changes = weights.get(node);
    if (changes) changes.set(input, tensor);
    else weights.set(node, new Map([[input, tensor]]));
  }
}

/** Rows of a batch, or positions of each of its images. */
function rowsOf({ kind, layout }: Layer, dims: readonly number[]): number {
  return kind === 'conv' ? elementCount(dims.slice(2)) : elementCount(dims) / layout.rows;
}

/** The whole dense matrix: [rows, inputs] */
function matrixOf({ layout, weight }: Layer): Float32Array {
  const { rows, inputs, start = 0 } = layout;
  return Float32Array.from(floatsOf(weight.tensor).subarray(start, start + rows * inputs));
}

function withFloats(tensor: Tensor, values: Floats): Tensor {
  if (!isFloat(tensor.dtype)) return tensor;
  return withBytes(tensor, encodeFloats(values, tensor.dtype as FloatType));
}

/** What one unit of the shortcut's error is worth at the layer's own output; 0 where it can't be made up for. */
function scaleOf({ layout }: Layer, gain: Float64Array | undefined): Float32Array {
  const scale = new Float32Array(layout.rows).fill(1);
  if (gain) for (let r = 0; r < scale.length; r++) scale[r] = Math.abs(gain[r]!) < 1e-4 ? 0 : 1 / gain[r]!;
  return scale;
}

function range(count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => i);
}
