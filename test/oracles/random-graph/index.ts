/** Random graphs over the op table: a recipe that fast-check draws and shrinks, and the model it stands for. */
import fc from 'fast-check';
import type { Model } from '../../../src/onnx/model.js';
import { GraphBuilder, type StepKind, type Steps, type Value } from './builder.js';
import { Choices } from './choices.js';
import { constant } from './constant.js';
import { contraction } from './contraction.js';
import { elementwise } from './elementwise.js';
import { indexing } from './indexing.js';
import { entry, head, layer } from './layers.js';
import { movement } from './movement.js';
import { recurrent } from './recurrent.js';
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
  constant,
];
const kinds = new Map<string, StepKind>();
for (const family of families)
  for (const [name, kind] of Object.entries(family))
    kinds.set(name, typeof kind === 'function' ? { step: kind } : kind);

/** Layers come often, or nothing could be pruned; the rest comes evenly. */
const layers =
  `Conv Conv Conv ConvBlock ConvBlock MatMul MatMul MatMul Gemm Gemm Add Add Relu Attention`.split(' ');
const kindArbitrary = fc.oneof(
  { weight: 1, arbitrary: fc.constantFrom(...layers) },
  { weight: 2, arbitrary: fc.constantFrom(...kinds.keys()) },
);
const choices = fc.array(fc.nat(5039), { minLength: 10, maxLength: 10 });

export const recipes: fc.Arbitrary<Recipe> = fc
  .record({
    opset: fc.constantFrom(21, 12, 13, 17, 18, 20, 23, 24),
    batch: fc.constantFrom(1, 2, 3),
    symbolic: fc.boolean(),
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

/** Graphs are kept to this many nodes. */
const maxNodes = 40;

export function buildGraph(recipe: Recipe): RandomGraph {
  const { batch, symbolic, seed } = recipe;
  const opset = Math.max(recipe.opset, ...recipe.steps.map(({ kind }) => kinds.get(kind)?.since ?? 0));
  const g = new GraphBuilder({ opset, batch, symbolic, seed });
  const c = new Choices(recipe.ends);
  for (const dims of recipe.inputs) {
    const x = g.input([batch, ...dims]);
    entry(g, x, c);
  }
  for (const { kind, choices } of recipe.steps) {
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
