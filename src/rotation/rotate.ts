import { Matrix } from 'ml-matrix';
import { findConstants } from '../ops/constants.js';
import type { DataSource } from '../data/batch.js';
import { throwIfAborted } from '../errors.js';
import type { Grouping, PruningGroup } from '../groups/group.js';
import { runtimeProduct } from '../linear/product.js';
import { indexGraph, type GraphIndex } from '../onnx/graph-index.js';
import type { Model } from '../onnx/model.js';
import { floatsOf } from '../onnx/values.js';
import { reconstructDefaults } from '../reconstruct/defaults.js';
import { placeInWeight } from '../layers/layer.js';
import { withWeights } from '../edit/weights.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Shapes } from '../shapes/shapes.js';
import { productBases, readBasis } from '../rotation/bases.js';
import { isFullyRotatable } from '../rotation/rotatable.js';
import { findFlows } from '../rotation/flows.js';
import { measureMoments, type Moments, type Probe } from '../rotation/moments.js';
import { isSoftmaxed } from '../rotation/softmax.js';
import { spacesOf, type Pairing, type Part, type Space } from '../rotation/spaces.js';
import type { TraceContext } from '../rotation/trace.js';
import { WeightRotation } from './weight-rotation.js';

export interface RotateInput {
  readonly grouping: Grouping;
  readonly shapes: Shapes;
  readonly runtime: Runtime;
  /** Unlabelled calibration data. */
  readonly data: DataSource;
  /** Ids of the groups to look at. Default: all. */
  readonly groups?: ReadonlySet<string> | undefined;
  /** Rows that a basis is measured on, at most. Default 40,000. */
  readonly maxRows?: number | undefined;
  /** Seed of the draw of rows. Default 0. */
  readonly seed?: number | string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onBatch?: ((examples: number) => void) | undefined;
}

export interface Rotated {
  /** Computes what the model did, with the same nodes and shapes. */
  readonly model: Model;
  /** What removing a channel costs, for the groups whose channels are in another basis; descending. */
  readonly losses: ReadonlyMap<PruningGroup, Float64Array>;
}

/** Decompositions of larger spaces take longer than all the rest. */
const largest = 640;

/**
 * Gives the channels of linear flows the basis in which the fewest of them matter: a rotation that the layers around
 * them undo, so that the model computes what it did, but channels are sorted by what they are worth. Linear bottlenecks
 * and the dims of attention heads are such channels. Undefined where a model has none.
 */
export async function rotate(input: RotateInput): Promise<Rotated | undefined> {
  const { grouping, runtime, signal } = input;
  const { model } = grouping.analysis;
  const context = { analysis: grouping.analysis, shapes: input.shapes, runtime };
  const spaces = await rotatable(grouping, context, input.groups);
  if (spaces.length === 0) return undefined;
  const probes = new Map<Part, Probe>();
  for (const space of spaces)
    for (const part of measuredParts(space)) probes.set(part, probeOf(part, space.kind));
  const products = await runtimeProduct(runtime);
  try {
    const measured = await measureMoments([...probes.values()], {
      ...{ model, data: input.data, runtime, product: products.product, signal, onBatch: input.onBatch },
      maxRows: input.maxRows ?? reconstructDefaults.maxRows,
      seed: input.seed ?? reconstructDefaults.seed,
    });
    const moments = new Map([...probes.keys()].map((part, i) => [part, measured[i]!]));
    const turn = new WeightRotation(model, findConstants(model.graph));
    const index = indexGraph(model.graph);
    const losses = new Map<PruningGroup, Float64Array>();
    for (const space of spaces) {
      throwIfAborted(signal);
      const own =
        space.kind === 'read'
          ? rotateSpace(space, moments, turn)
          : rotatePairing(space, moments, turn, { model, index });
      const known = losses.get(space.group);
      if (own) losses.set(space.group, known ? known.map((loss, c) => loss + own[c]!) : own);
    }
    return losses.size === 0 ? undefined : { model: withWeights(model, turn.weights), losses };
  } finally {
    await products.release();
  }
}

/** Spaces of the groups that are in spaces altogether. */
async function rotatable(
  grouping: Grouping,
  context: TraceContext,
  wanted: ReadonlySet<string> | undefined,
): Promise<readonly (Space | Pairing)[]> {
  const flows = findFlows(grouping).filter(
    ({ group }) => group.size <= largest && (wanted?.has(group.id) ?? true),
  );
  const spaces = await spacesOf(flows, context);
  const groups = new Set(spaces.map(({ group }) => group));
  for (const group of groups)
    if (
      !isFullyRotatable(
        group,
        spaces.filter((space) => space.group === group),
        context.analysis,
      )
    )
      groups.delete(group);
  return spaces.filter(({ group }) => groups.has(group));
}

function measuredParts(space: Space | Pairing): readonly Part[] {
  return space.kind === 'read' ? space.reads : [...space.left, ...space.right];
}

/** What a layer reads, or what it writes where two activations are multiplied. */
function probeOf({ layer, positions }: Part, kind: 'read' | 'product'): Probe {
  return { value: kind === 'read' ? layer.x : layer.y, channelsFirst: layer.kind === 'conv', positions };
}

function rotateSpace(
  { reads, writes }: Space,
  moments: ReadonlyMap<Part, Moments>,
  turn: WeightRotation,
): Float64Array | undefined {
  const size = writes[0]!.positions.length;
  const [covariance, metric] = [Matrix.zeros(size, size), Matrix.zeros(size, size)];
  for (const part of reads) {
    const own = secondMoment(moments.get(part)!, part.layer.bias !== undefined);
    const squares = metricOf(part);
    // Readers count alike: each by the share of its own output that is lost.
    const energy = Matrix.mul(own, squares).sum();
    if (!(energy > 0)) continue;
    covariance.add(own.div(own.trace()));
    metric.add(squares.mul(1 / energy));
  }
  const basis = readBasis(covariance, metric);
  if (!basis) return undefined;
  for (const part of writes) turn.write(part, basis.forward);
  for (const part of reads) turn.read(part, basis.backward);
  return basis.losses;
}

function rotatePairing(
  { nodes, left, right }: Pairing,
  moments: ReadonlyMap<Part, Moments>,
  turn: WeightRotation,
  { model, index }: { readonly model: Model; readonly index: GraphIndex },
): Float64Array | undefined {
  const sumOf = (parts: readonly Part[], centred: boolean): Matrix =>
    parts.map((part) => withBias(moments.get(part)!, part, centred)).reduce((a, b) => Matrix.add(a, b));
  // Keys that all move by the same move nothing; queries count with their mean.
  const isShiftFree = nodes.every((node) => isSoftmaxed(model.graph.nodes[node]!.outputs[0]!, index));
  const bases = productBases(sumOf(left, false), sumOf(right, isShiftFree));
  if (!bases) return undefined;
  for (const part of left) turn.write(part, bases.left);
  for (const part of right) turn.write(part, bases.right);
  return bases.losses;
}

function secondMoment({ mean, covariance }: Moments, centred: boolean): Matrix {
  const size = mean.length;
  const matrix = Matrix.from1DArray(size, size, covariance);
  if (centred) return matrix;
  const column = Matrix.columnVector(mean);
  return matrix.add(column.mmul(column.transpose()));
}

/** Moments of a layer's output with the constant that is added behind it. */
function withBias({ mean, covariance }: Moments, { layer, positions }: Part, centred: boolean): Matrix {
  const { bias } = layer;
  const added = bias?.kind === 'add' ? floatsOf(bias.tensor!) : undefined;
  const shifted = mean.map((value, i) => value + (added?.[positions[i]!] ?? 0));
  return secondMoment({ mean: shifted, covariance }, centred);
}

/** Wᵀ W over the rows and kernel entries of a reader, for the channels of a space. */
function metricOf({ layer, positions }: Part): Matrix {
  const { layout } = layer;
  const { rows, entries } = layout;
  const values = floatsOf(layer.weight.tensor);
  const size = positions.length;
  const matrix = new Matrix(rows * entries, size);
  for (let row = 0; row < rows; row++)
    for (let e = 0; e < entries; e++)
      for (let c = 0; c < size; c++)
        matrix.set(row * entries + e, c, values[placeInWeight(layout, row, positions[c]!, e)]!);
  return matrix.transpose().mmul(matrix);
}
