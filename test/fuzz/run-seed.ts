/** All graphs of one seed, for `scripts/fuzz.mjs`: what was covered, and what failed, shrunk. */
import fc from 'fast-check';
import type { Runtime } from '../../src/runtime/runtime.js';
import { recipes, type Recipe } from '../oracles/random-graph/index.js';
import { symbolicRecipes } from '../oracles/symbolic-graph.js';
import { checkGraph, type FuzzOutcome } from './check-graph.js';
import { checkSymbolic } from './check-symbolic.js';

export interface SeedResult {
  readonly seed: number;
  /** Graphs with a real removal, and those where nothing is prunable. */
  readonly graphs: number;
  readonly bare: number;
  readonly nodes: number;
  /** Float values compared by the oracle. */
  readonly compared: number;
  /** Graphs that `verify` proved too. */
  readonly proofs: number;
  /** Graphs with each op, and those where it read or wrote something that lost channels. */
  readonly ops: Readonly<Record<string, number>>;
  readonly touched: Readonly<Record<string, number>>;
  /** Of graphs with symbolic lengths: those with a real removal, sizes they were compared at, and what failed. */
  readonly symbolic: {
    readonly graphs: number;
    readonly sizes: number;
    readonly kinds: Readonly<Record<string, number>>;
  };
  readonly failures: readonly Failure[];
}

export interface Failure {
  /** Its number; `s` and a number for one with symbolic lengths. */
  readonly graph: number | string;
  readonly problem: string;
  readonly shrunk: string;
}

/**
 * Graph `i` of seed `s` is run `i` of fast-check with that seed.
 * @param symbolicCount of graphs with symbolic lengths, besides
 */
export async function runSeed(
  seed: number,
  count: number,
  symbolicCount: number,
  runtime: Runtime,
): Promise<SeedResult> {
  const ops: Record<string, number> = {};
  const touched: Record<string, number> = {};
  const failures: Failure[] = [];
  const totals = { graphs: 0, bare: 0, nodes: 0, compared: 0, proofs: 0 };
  for (const [i, recipe] of fc.sample(recipes, { seed, numRuns: count }).entries()) {
    // The proof takes as long as everything else: every third graph gets one.
    const outcome = await outcomeOf(recipe, runtime, i % 3 === 0);
    if (typeof outcome === 'string' || outcome.problem) {
      const problem = typeof outcome === 'string' ? outcome : outcome.problem!;
      failures.push({ graph: i, problem, shrunk: await shrink(seed, i, runtime) });
      continue;
    }
    if (outcome.pruned === 0) {
      totals.bare++;
      continue;
    }
    totals.graphs++;
    totals.nodes += outcome.nodes;
    totals.compared += outcome.compared;
    if (outcome.proof === 'passed') totals.proofs++;
    for (const op of outcome.ops) ops[op] = (ops[op] ?? 0) + 1;
    for (const op of outcome.touched) touched[op] = (touched[op] ?? 0) + 1;
  }
  const symbolic = { graphs: 0, sizes: 0, kinds: {} as Record<string, number> };
  for (const [i, recipe] of fc.sample(symbolicRecipes, { seed, numRuns: symbolicCount }).entries()) {
    const outcome = await checkSymbolic(recipe, { runtime, proof: i % 3 === 0 }).catch((error: unknown) =>
      error instanceof Error ? error.message : String(error),
    );
    if (typeof outcome === 'string' || outcome.problem) {
      const problem = typeof outcome === 'string' ? outcome : outcome.problem!;
      failures.push({ graph: `s${i}`, problem, shrunk: JSON.stringify(recipe) });
    } else if (outcome.pruned === 0) totals.bare++;
    else {
      symbolic.graphs++;
      symbolic.sizes += outcome.sizes;
      totals.graphs++;
      totals.nodes += outcome.nodes;
      totals.compared += outcome.compared;
      if (outcome.proof === 'passed') totals.proofs++;
      for (const kind of new Set(recipe.steps.map((step) => step.kind)))
        symbolic.kinds[kind] = (symbolic.kinds[kind] ?? 0) + 1;
    }
  }
  return { seed, ...totals, ops, touched, symbolic, failures };
}

async function outcomeOf(recipe: Recipe, runtime: Runtime, proof: boolean): Promise<FuzzOutcome | string> {
  try {
    return await checkGraph(recipe, { runtime, proof });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function shrink(seed: number, graph: number, runtime: Runtime): Promise<string> {
  const property = fc.asyncProperty(recipes, async (recipe) => {
    const outcome = await outcomeOf(recipe, runtime, true);
    return typeof outcome !== 'string' && !outcome.problem;
  });
  const settings = { seed, path: String(graph), numRuns: 1, interruptAfterTimeLimit: 60_000 };
  const { counterexample } = await fc.check(property, settings);
  return JSON.stringify(counterexample?.[0]);
}
