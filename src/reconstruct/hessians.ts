import type { AxisCoupling } from '../axes/couple.js';
import type { Factor } from '../axes/axis.js';
import { coordinates } from '../axes/project.js';
import { occurrencesOf } from '../axes/positions.js';
import type { DataSource } from '../data/batch.js';
import { throwIfAborted } from '../errors.js';
import type { PruningGroup } from '../groups/group.js';
import { cholesky, solveRows } from '../linear/cholesky.js';
import { runtimeProduct, type MatrixProduct } from '../linear/product.js';
import type { Model } from '../onnx/model.js';
import { elementCount } from '../onnx/tensor.js';
import { floatsOf } from '../onnx/values.js';
import type { Runtime } from '../runtime/runtime.js';
import { denseValues } from '../statistics/dense-values.js';
import { convGeometry } from '../statistics/geometry.js';
import { MomentSession } from '../statistics/layer-moments.js';
import { SecondMoments } from '../statistics/second-moments.js';
import { reconstructDefaults } from './defaults.js';
import { drawCounted } from '../statistics/counted-rows.js';
import { drawRows } from '../statistics/draw.js';
import { forEachKept, type Layer } from '../layers/layer.js';
import { findLayers } from '../layers/find.js';
import { isScarce, predictiveDamping } from './scarce.js';

export interface HessianOptions {
  readonly analysis: AxisCoupling;
  readonly groups: readonly PruningGroup[];
  readonly data: DataSource;
  readonly runtime: Runtime;
  /** As for `reconstruct`. */
  readonly damping?: number | undefined;
  readonly maxRows?: number | undefined;
  /** Seed of the draw of rows. Default 0. */
  readonly seed?: number | string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onBatch?: ((examples: number) => void) | undefined;
}

/** A layer's weights and the inverse of its inputs' second moments, with the channels of one group on its columns. */
export interface LayerHessian {
  readonly layer: Layer;
  readonly weights: Float64Array;
  readonly outputs: number;
  readonly inverse: Float64Array;
  readonly channels: Int32Array;
  /** Mean of the layer's inputs: [columns] */
  readonly xMean: Float64Array;
  /** Rows that all this was measured on. */
  readonly rows: number;
}

/**
 * Inverse second moments of the inputs of every layer that contracts one of the groups, in the dense model.
 * Grouped convolutions are left out: their channels go as a whole. So are groups that are also contracted where no layer's
 * moments tell what is lost, as the queries and keys of attention: the rest of their readers would be half the truth.
 */
export async function layerHessians(
  options: HessianOptions,
): Promise<ReadonlyMap<PruningGroup, readonly LayerHessian[]>> {
  const { analysis, groups, runtime, damping = reconstructDefaults.damping } = options;
  const { model } = analysis;
  const layersWithout = findLayers(model).layers.filter(({ recurrence }) => !recurrence);
  const byNode = new Map(layersWithout.map((layer) => [layer.node, layer]));
  const contracted = new Map<Layer, Set<PruningGroup>>();
  const unmeasured = unmeasuredFactors(analysis, byNode);
  for (const group of groups.filter(({ factor }) => !unmeasured.has(factor)))
    for (const { parameter, role, axis } of group.members) {
      const layer = byNode.get(parameter.node);
      if (role !== 'contract' || layer?.groups !== 1) continue;
      if (parameter.input !== layer.weightInput || axis !== layer.inputAxis) continue;
      const set = contracted.get(layer);
      if (set) set.add(group);
      else contracted.set(layer, new Set([group]));
    }
  const layers = [...contracted.keys()];
  if (layers.length === 0) return new Map();
  const moments = await denseMoments(layers, model, options);
  const out = new Map<PruningGroup, LayerHessian[]>();
  const products = await runtimeProduct(runtime);
  try {
    for (const [i, layer] of layers.entries()) {
      throwIfAborted(options.signal);
      const shared = await inverted(layer, moments[i]!, damping, products.product);
      if (!shared) continue;
      const { axes } = analysis.parameters.find(
        ({ node, input }) => node === layer.node && input === layer.weightInput,
      )!;
      for (const group of contracted.get(layer)!) {
        const channel = coordinates(analysis.system, axes[layer.inputAxis]!, group.factor);
        const { entries, inputs } = layer.layout;
        const channels = Int32Array.from({ length: entries * inputs }, (_, k) => channel[k % inputs]!);
        const list = out.get(group);
        const hessian = { ...shared, channels };
        if (list) list.push(hessian);
        else out.set(group, [hessian]);
      }
    }
  } finally {
    await products.release();
  }
  return out;
}

/** Moments of a layer; of every other batch by themselves where rows are few. */
type Parts = [SecondMoments, SecondMoments?];

/** Factors that something else than a layer sums over: products of activations, recurrences. */
function unmeasuredFactors(
  { roles, system }: AxisCoupling,
  layers: ReadonlyMap<number, Layer>,
): ReadonlySet<Factor> {
  const found = new Set<Factor>();
  for (const { node, role, expression } of roles)
    if (role === 'contract' && !layers.has(node))
      for (const factor of occurrencesOf(system, expression).keys()) found.add(factor);
  return found;
}

async function denseMoments(
  layers: readonly Layer[],
  model: Model,
  { data, runtime, maxRows = reconstructDefaults.maxRows, seed = 0, signal, onBatch }: HessianOptions,
): Promise<Parts[]> {
  const sessions: MomentSession[] = [];
  const empty = ({ layout }: Layer): SecondMoments =>
    new SecondMoments(1, layout.inputs * layout.entries, layout.rows, false);
  const moments = layers.map((layer): Parts => [empty(layer)]);
  const names = layers.flatMap(({ x, y }) => [x, y]);
  let examples = 0;
  try {
    for await (const values of denseValues(model, names, { data, runtime, signal })) {
      const { found, batch, size } = values;
      for (const [i, layer] of layers.entries()) {
        const [x, y] = [found[layer.x]!, found[layer.y]!];
        const node = model.graph.nodes[layer.node]!;
        const { layout, transposed } = layer;
        sessions[i] ??= await MomentSession.open(runtime, {
          source:
            layer.kind === 'conv'
              ? {
                  kind: 'conv',
                  geometry: convGeometry(node, layer.weight.tensor.dims.slice(2), x.dims.slice(2)),
                }
              : { kind: 'linear', columns: layout.inputs, outputs: layout.rows, transposed },
          xDtype: x.type,
          yDtype: y.type,
          groups: 1,
          inputs: layout.inputs,
          outputs: layout.rows,
          keptInputs: undefined,
          keptOutputs: undefined,
          shortcut: undefined,
          hasProducts: false,
        });
        const all = data.count ?? 1024;
        const share = layer.kind === 'conv' ? all : Math.ceil(all / x.dims[0]!);
        const wanted = Math.ceil(maxRows / share);
        if (batch === 0) {
          const rows = share * Math.min(wanted, rowsOf(layer, x.dims));
          if (size < all && isScarce(rows, layout.inputs * layout.entries))
            moments[i] = [empty(layer), empty(layer)];
        }
        const parts = moments[i]!;
        await sessions[i].add(parts[batch % parts.length]!, x, y, undefined, (count) =>
          layer.kind === 'conv'
            ? drawRows(count, wanted, `${seed}:${layer.name}:${batch}`)
            : drawCounted(values, x.dims, count, wanted, `${seed}:${layer.name}:${batch}`),
        );
      }
      examples += size;
      onBatch?.(examples);
    }
  } finally {
    for (const open of sessions) await open?.release();
  }
  return moments;
}

/** Rows of a batch, or positions of each of its images: before a convolution, whose windows are no more as a rule. */
function rowsOf({ kind, layout }: Layer, dims: readonly number[]): number {
  return kind === 'conv' ? elementCount(dims.slice(2)) : elementCount(dims) / layout.inputs;
}

/** Undefined where the inputs are dead or no damping helps. */
async function inverted(
  layer: Layer,
  parts: Parts,
  asked: number,
  product: MatrixProduct,
): Promise<Omit<LayerHessian, 'channels'> | undefined> {
  const [moments, held] = parts;
  let damping = asked;
  if (held && held.rows > 0) {
    damping = await predictiveDamping([moments, held], asked, product);
    moments.add(held);
  }
  const { xx, yy, xMean, rows, inputs, outputs } = moments;
  const variance = yy.reduce((a, b) => a + b, 0);
  let trace = 0;
  for (let i = 0; i < inputs; i++) trace += xx[i * inputs + i]!;
  if (!(trace > 0 && variance > 0)) return undefined;
  for (let lambda = damping; lambda <= 1e3 * damping; lambda *= 10) {
    const scaled = xx.map((value) => value / variance);
    for (let i = 0; i < inputs; i++) scaled[i * inputs + i]! += (lambda * trace) / inputs / variance;
    const factor = await cholesky(scaled, inputs, product);
    if (!factor) continue;
    const identity = new Float64Array(inputs * inputs);
    for (let i = 0; i < inputs; i++) identity[i * inputs + i] = 1;
    const inverse = await solveRows(factor, identity, inputs, product);
    const weights = new Float64Array(outputs * inputs);
    const values = floatsOf(layer.weight.tensor);
    const all = (count: number): Int32Array => Int32Array.from({ length: count }, (_, i) => i);
    const whole = { rows: [all(layer.layout.rows)], inputs: all(layer.layout.inputs) };
    forEachKept(layer, whole, (inWeight, inMatrix) => (weights[inMatrix] = layer.alpha * values[inWeight]!));
    return { layer, weights, outputs, inverse, xMean, rows };
  }
  return undefined;
}
