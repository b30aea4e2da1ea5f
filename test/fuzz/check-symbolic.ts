/** One run of the fuzzer over graphs with symbolic lengths: compared at several of them, also where neither model runs. */
import { analyze } from '../../src/analysis/analyze.js';
import { PruneError } from '../../src/errors.js';
import { decodeModel, encodeModel } from '../../src/onnx/codec.js';
import type { Model } from '../../src/onnx/model.js';
import { randomGenerator } from '../../src/random/random.js';
import { rewriteModel } from '../../src/rewrite/rewrite.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { inferShapes, type Shapes } from '../../src/shapes/shapes.js';
import { variationOf } from '../../src/shapes/variation.js';
import { verify } from '../../src/verify/verify.js';
import { compareWithZeroed } from '../oracles/random-graph-oracle.js';
import { buildSymbolic, unknownDomain, type SymbolicRecipe } from '../oracles/symbolic-graph.js';
import {
  randomMasks,
  singleThreaded,
  touchedOps,
  type FuzzOptions,
  type FuzzOutcome,
} from './check-graph.js';

export interface SymbolicOutcome extends FuzzOutcome {
  /** Sizes at which both models ran and were compared. */
  readonly sizes: number;
}

/** @throws whatever the engine throws, refusals with a reason aside: a crash is a finding. */
export async function checkSymbolic(recipe: SymbolicRecipe, options: FuzzOptions): Promise<SymbolicOutcome> {
  const runtime = singleThreaded(options.runtime);
  const built = buildSymbolic(recipe);
  const dense = decodeModel(encodeModel(built.model));
  const base: SymbolicOutcome = {
    ops: new Set(dense.graph.nodes.map(({ opType }) => opType)),
    touched: new Set(),
    nodes: dense.graph.nodes.length,
    pruned: 0,
    compared: 0,
    sizes: 0,
    proof: 'none',
    problem: undefined,
  };
  const random = randomGenerator(recipe.removal);
  const found = await analyze(dense, { runtime, shapes: built.shapes });
  const { shapes, axes: analysis, grouping } = found;
  const masks = randomMasks(grouping, random);
  if (masks.size === 0) return base;
  const result = await rewriteModel({
    analysis,
    masks,
    shapeOf: (value) => shapes.of(value),
    variation: () => variationOf(found.model, shapes, runtime),
    runtime,
  });
  const pruned = decodeModel(encodeModel(found.canonical.restore(result.model)));
  const known = { ...analysis, model: withoutUnknown(analysis.model) };
  let [compared, sizes] = [0, 0];
  const outcome = (problem?: string): SymbolicOutcome => ({
    ...{ ...base, touched: touchedOps(analysis, masks), pruned: masks.size, compared, sizes, problem },
  });
  for (const at of [shapes, ...(await otherSizes(dense, built.shapes, random, runtime))]) {
    const where = [...at.inputs.values()].map((dims) => dims.join('×')).join(' ');
    try {
      const input = { analysis: known, masks, pruned: withoutUnknown(pruned), shapes: at, runtime };
      const { compared: count, problem } = await compareWithZeroed(input);
      if (problem) return outcome(`at ${where}: ${problem}`);
      compared += count;
      sizes++;
    } catch (error) {
      if (!(error instanceof PruneError) || error.code !== 'runtime') throw error;
      const [wants, gets] = [
        await runs(known.model, at, runtime),
        await runs(withoutUnknown(pruned), at, runtime),
      ];
      if (wants !== gets)
        return outcome(
          `at ${where} ${wants ? 'the dense' : 'the pruned'} model alone runs: ${error.message}`,
        );
    }
  }
  if (options.proof === false) return outcome();
  try {
    const report = await verify({
      ...{ analysis, masks, dense: found.model, pruned, shapes, runtime, level: 'full', seed: 1 },
    });
    return { ...outcome(report.passed ? undefined : `verify: ${report.failure?.message}`), proof: 'passed' };
  } catch (error) {
    if (!(error instanceof PruneError) || error.code !== 'unsupported') throw error;
    return { ...outcome(), proof: 'unsupported' };
  }
}

/** Three others: shorter, longer by a little and much longer, each dim another. */
async function otherSizes(
  dense: Model,
  pinned: Readonly<Record<string, readonly number[]>>,
  random: () => number,
  runtime: Runtime,
): Promise<Shapes[]> {
  const found: Shapes[] = [];
  for (const [low, high] of [
    [0.4, 0.95],
    [1.01, 1.3],
    [1.9, 2.6],
  ] as const) {
    const batch = 1 + Math.floor(3 * random());
    const lengthOf = (length: number): number => Math.ceil(length * (low + (high - low) * random()));
    const shapes = Object.fromEntries(
      Object.entries(pinned).map(([name, [, channels, length]]) => [
        name,
        [batch, channels!, lengthOf(length!)],
      ]),
    );
    try {
      found.push(await inferShapes(dense, runtime, { shapes }));
    } catch (error) {
      if (!(error instanceof PruneError) || error.code !== 'invalid-option') throw error;
    }
  }
  return found;
}

/** Without the nodes that onnxruntime has no op for, all of which are at the end. */
function withoutUnknown(model: Model): Model {
  const nodes = model.graph.nodes.filter(({ domain }) => domain !== unknownDomain);
  if (nodes.length === model.graph.nodes.length) return model;
  const made = new Set(nodes.flatMap(({ outputs }) => outputs));
  return {
    ...model,
    graph: { ...model.graph, nodes, outputs: model.graph.outputs.filter(({ name }) => made.has(name)) },
  };
}

async function runs(model: Model, { inputs }: Shapes, runtime: Runtime): Promise<boolean> {
  try {
    const session = await runtime.load(encodeModel(model), { optimization: 'disabled' });
    const feeds = [...inputs].map(([name, dims]) => {
      const count = dims.reduce((a, b) => a * b, 1);
      return [name, runtime.tensor('float32', new Float32Array(count).fill(0.5), dims)] as const;
    });
    await session.run(Object.fromEntries(feeds)).finally(() => session.release());
    return true;
  } catch (error) {
    if (error instanceof PruneError && error.code === 'runtime') return false;
    throw error;
  }
}
