/** Random graphs over the op table: a recipe that fast-check draws and shrinks, and the model it stands for. */
import fc from 'fast-check';
import type { Model } from '../../../src/onnx/model.js';
import { GraphBuilder, type StepKind, type Steps, type Value } from './builder.js';
import { Choices } from './choices.js';
import { attention } from './attention.js';
import { constant } from './constant.js';
import { contraction } from './contraction.js';
import { elementwise } from './elementwise.js';
import { fused } from './fused.js';
import { indexing } from './indexing.js';
import { entry, head, layer } from './layers.js';
import { movement } from './movement.js';
import { opaque } from './opaque.js';
import { quantization } from './quantization.js';
import { recurrent } from './recurrent.js';
import { sizes } from './sizes.js';
import { normalization, pooling, reduction } from './statistics.js';

export interface Recipe {
  readonly opset: number;
  readonly batch: number;
  readonly symbolic: boolean;
  /** Of the weights. */
  readonly seed: number;
  /** Dims behind the batch. */
  readonly inputs: readonly (readonly number[])[];
  readonly steps: readonly { readonly kind: string; readonly choices: readonly number[] }[];
  /** How outputs are made of what is left over. */
  readonly ends: readonly number[];
  /** Which channels go. */
  readonly removal: number;
}

const families: readonly Steps[] = [
  elementwise,
  contraction,
  normalization,
  pooling,
  reduction,
  movement,
  indexing,
  recurrent,
  quantization,
  constant,
  sizes,
  attention,
  fused,
  opaque,
];
const kinds = new Map<string, StepKind>();
for (const family of families)
  for (const [name, kind] of Object.entries(family)) {
    if (kinds.has(name)) throw new Error(`two steps are called '${name}'`);
    kinds.set(name, typeof kind === 'function' ? { step: kind } : kind);
  }

/** Rules without a step, with the reason. */
export const withoutStep: Readonly<Record<string, string>> = {
  'com.microsoft::NhwcConv': "onnxruntime's CPU provider has no kernel for it",
  ImageDecoder: "onnxruntime's CPU provider has no kernel for it",
};

/** Names of all steps: of the op that they are there for, mostly. */
export const kindNames: readonly string[] = [...kinds.keys()];

/** Steps whose ops take the same inputs and attributes at opset 9, for ops that newer opsets don't have. */
const ancient = new Set(
  `Conv ConvBlock MatMul Gemm Add Sub Mul Div PRelu Relu Abs Neg LeakyRelu Sigmoid Tanh Exp Sum Max Min Mean
   BatchNormalization InstanceNormalization LRN MaxPool AveragePool GlobalAveragePool GlobalMaxPool ChannelGate
   AttentionOfHeads Reshape ChannelShuffle Flatten Unsqueeze Transpose Expand Tile Split Gather Shape
   ConstantOfShape LSTM GRU RNN`.split(/\s+/),
);
/** Layers come often, or nothing could be pruned. */
const layers =
  `Conv Conv Conv ConvBlock ConvBlock MatMul MatMul MatMul Gemm Gemm Add Add Relu AttentionOfHeads`.split(
    ' ',
  );

/** What few values, batches or opsets fit comes more often than the rest, what only blocks less often. */
const scarce =
  `Squeeze ReverseSequence Scatter Scatter ScatterND ScatterElements GatherElements RoiAlign MaxRoiPool Size Upsample
   GroupNormalization GlobalLpPool LpPool DFT RotaryEmbedding com.microsoft::GroupQueryAttention
   com.microsoft::SkipLayerNormalization com.microsoft::QLinearAveragePool MaxUnpool AffineGrid Expand
   DepthToSpace SpaceToDepth MeanVarianceNormalization LRN`.split(/\s+/);
const kindArbitrary = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...layers) },
  { weight: 9, arbitrary: fc.constantFrom(...[...kinds.keys()].filter((kind) => !(kind in opaque))) },
  { weight: 2, arbitrary: fc.constantFrom(...Object.keys(opaque)) },
  { weight: 4, arbitrary: fc.constantFrom(...scarce) },
);
const choices = fc.array(fc.nat(5039), { minLength: 10, maxLength: 10 });

export const recipes: fc.Arbitrary<Recipe> = fc
  .record({
    opset: fc.constantFrom(21, 12, 13, 17, 18, 20, 23, 24),
    batch: fc.constantFrom(1, 2, 3),
    symbolic: fc.constantFrom(false, true, false),
    seed: fc.nat(),
    inputs: fc.array(fc.constantFrom([6, 5, 4], [8], [5, 6], [4, 4, 4], [12, 3, 3], [3, 8], [4]), {
      minLength: 1,
      maxLength: 3,
      size: 'max',
    }),
    steps: fc.array(fc.record({ kind: kindArbitrary, choices }), {
      minLength: 3,
      maxLength: 14,
      size: 'max',
    }),
    ends: choices,
    removal: fc.nat(),
  })
  .map((recipe) => ({ ...recipe, batch: recipe.symbolic ? 1 : recipe.batch }));

/** Recipes with several steps of one kind, between layers. */
export function recipesWith(kind: string): fc.Arbitrary<Recipe> {
  return fc
    .tuple(recipes, fc.array(fc.tuple(choices, choices), { minLength: 3, maxLength: 3 }))
    .map(([recipe, drawn]) => ({
      ...recipe,
      steps: [
        ...recipe.steps.slice(0, 1),
        ...drawn.flatMap(([a, b], i) => [
          { kind: ['ConvBlock', 'MatMul', 'Conv'][i]!, choices: a },
          { kind, choices: b },
        ]),
      ],
    }));
}

export interface RandomGraph {
  readonly model: Model;
  /** Dims of every value, as built. */
  readonly dims: ReadonlyMap<string, readonly number[]>;
  readonly inputs: ReadonlyMap<string, readonly number[]>;
}

/** Steps are written for this opset and newer ones. */
const oldest = 12;

/** Whether its op is older than what steps are written for. */
const isGone = (kind: string): boolean => (kinds.get(kind)!.until ?? Infinity) < oldest;

/** Graphs are kept to this many nodes. */
const maxNodes = 40;

/** The opset nearest to the wanted one that has the ops of the steps, and the steps without those it can't have. */
function atOneOpset({ opset, steps }: Recipe): Pick<Recipe, 'opset' | 'steps'> {
  let [first, last] = [0, Infinity];
  const fitting = steps.filter(({ kind }) => {
    const { since = 0, until = Infinity } = kinds.get(kind)!;
    if (since > last || until < first) return false;
    [first, last] = [Math.max(first, since), Math.min(last, until)];
    return true;
  });
  const isOld = last < oldest;
  return {
    opset: Math.min(Math.max(opset, first), last),
    steps: isOld ? fitting.filter(({ kind }) => ancient.has(kind) || isGone(kind)) : fitting,
  };
}

export function buildGraph(recipe: Recipe): RandomGraph {
  const { batch, symbolic, seed } = recipe;
  const { opset, steps } = atOneOpset(recipe);
  const g = new GraphBuilder({ opset, batch, symbolic, seed });
  const c = new Choices(recipe.ends);
  for (const dims of recipe.inputs) {
    const x = g.input([batch, ...dims]);
    entry(g, x, c);
  }
  for (const { kind, choices } of steps) {
    if (g.nodes.length < maxNodes - 8) {
      const choice = new Choices(choices);
      kinds.get(kind)!.step(g, choice);
      // Ops that fix their axes would leave nothing to prune behind them.
      if (choice.flag()) layer(g, g.pick(choice)!, choice);
    }
  }
  return { model: g.build(outputs(g, c)), dims: g.dims, inputs: g.inputDims };
}

/** Outputs can't be pruned: most of what is left over gets a layer first, some of it becomes an output as it is. */
function outputs(g: GraphBuilder, c: Choices): Value[] {
  const ends = g
    .loose()
    .slice(0, 3)
    .map((x) => (c.below(8) === 1 ? x : head(g, x, c)));
  return ends.length > 0 ? ends.filter((_, i) => i === 0 || c.flag()) : [head(g, g.pick(c)!, c)];
}
