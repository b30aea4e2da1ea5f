import type { AxisCoupling } from '../axes/couple.js';
import type { KeptMasks } from '../axes/project.js';
import type { DataSource } from '../data/batch.js';
import { runtimeProduct } from '../linear/product.js';
import type { Model } from '../onnx/model.js';
import type { Tensor } from '../onnx/tensor.js';
import { projectionOf } from '../plan/projection.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Shapes } from '../shapes/shapes.js';
import { maskedModel } from '../masking/masked.js';
import { reconstructDefaults } from './defaults.js';
import { findLayers } from '../layers/find.js';
import { LayerSolver, type LayerOutcome } from './layer-solver.js';
import type { Repair } from './repair.js';
import { schedule } from './solve-order.js';
import { propagate } from './propagate.js';
import { withWeights } from '../edit/weights.js';

export interface ReconstructOptions {
  /** What is changed to make up for removed channels. Default `weights`. */
  readonly repair?: Repair | undefined;
  /** λ as a share of the mean squared deviation of a layer's inputs. Default 0.001. */
  readonly damping?: number | undefined;
  /** Rows (positions of images, tokens) that a layer is solved on, at most; drawn at random. Default 40,000. */
  readonly maxRows?: number | undefined;
  /** Seed of the draw of rows. Default 0. */
  readonly seed?: number | undefined;
  /** Whether `weights` of a layer also make up for the error of the residual stream it is added to. Default true. */
  readonly shortcuts?: boolean | undefined;
}

export interface ReconstructInput extends ReconstructOptions {
  readonly analysis: AxisCoupling;
  /** What will be removed, as `keptMasks(plan)` gives it. */
  readonly masks: KeptMasks;
  /** The analysed model, with its dense weights. */
  readonly model: Model;
  readonly shapes: Shapes;
  readonly runtime: Runtime;
  /** Unlabelled calibration data; read several times. */
  readonly data: DataSource;
  /** Bytes of activations that may be held from layer to layer. Default 384 MiB. */
  readonly heldBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number, detail: string) => void) | undefined;
}

export interface Reconstruction {
  /** What was changed. */
  readonly repair: Repair;
  /** The dense model with other weights: the same nodes, but maybe biases where there were none. */
  readonly model: Model;
  readonly layers: readonly LayerOutcome[];
  /** Layers with changed inputs that were left as they are, with the reason. */
  readonly left: readonly { readonly node: string; readonly why: string }[];
  /** Whether a layer was given a bias that it didn't have: an analysis of the dense model doesn't know of it. */
  readonly addedBiases: boolean;
}

/**
 * Gives the layers of a model the weights with which, once pruned, they come closest to what they compute in the dense
 * model: joint least squares for each layer on the inputs that it keeps, as the pruned and already reconstructed
 * layers before it give them, against the dense layer's output; or repairs less, see `Repair`. Works on the masked dense model, so that the result is
 * a dense model that is then sliced like any other.
 * @throws PruneError `invalid-data` without examples, `runtime`, `aborted`.
 */
export async function reconstruct(input: ReconstructInput): Promise<Reconstruction> {
  const { analysis, masks, model, shapes, runtime, data, signal } = input;
  const options = {
    damping: input.damping ?? reconstructDefaults.damping,
    maxRows: input.maxRows ?? reconstructDefaults.maxRows,
    seed: input.seed ?? reconstructDefaults.seed,
    shortcuts: input.shortcuts ?? reconstructDefaults.shortcuts,
    repair: input.repair ?? reconstructDefaults.repair,
  };
  const projection = projectionOf(analysis.system, masks);
  const masked = maskedModel({
    analysis,
    projection,
    model,
    shapeOf: (value) => shapes.of(value),
    dtypeOf: (value) => shapes.dtypeOf(value),
  });
  const { layers, left } = findLayers(model);
  const unknown = new Set(shapes.unknownOps.map(({ node }) => node));
  const opaque = model.graph.nodes.filter(({ name }, i) => unknown.has(name || `#${i}`));
  const unrunnable = new Set(opaque.flatMap(({ outputs }) => outputs));
  const order = schedule(model, masked, layers, ({ outputs }) =>
    outputs.some((name) => unrunnable.has(name)),
  );
  const total = order.waves.reduce((sum, stops) => sum + stops.length, 0);
  const outcomes: LayerOutcome[] = [];
  const weights = new Map<number, Map<number, Tensor>>();
  if (total > 0) {
    const products = await runtimeProduct(runtime);
    const solver = new LayerSolver({
      analysis,
      projection,
      runtime,
      product: products.product,
      weights,
      ...options,
    });
    try {
      await propagate({
        order,
        dense: model,
        data,
        weights,
        runtime,
        signal,
        heldBytes: input.heldBytes,
        open: (turns) => {
          input.onProgress?.(outcomes.length, total, turns[0]!.layer.name);
          return solver.open(turns, order, (outcome) => outcomes.push(outcome));
        },
      });
    } finally {
      await products.release();
    }
  }
  return {
    repair: options.repair,
    model: withWeights(model, weights),
    layers: outcomes,
    left: [...left, ...order.left],
    addedBiases: hasAddedBiases(model, weights),
  };
}

function hasAddedBiases(
  { graph }: Model,
  weights: ReadonlyMap<number, ReadonlyMap<number, Tensor>>,
): boolean {
  for (const [node, changes] of weights)
    for (const input of changes.keys()) if (!graph.nodes[node]!.inputs[input]) return true;
  return false;
}
