import { activationMemory } from '../cost/activations.js';
import { blockedBy, coverage } from '../cost/coverage.js';
import { planToFile } from '../plan/file.js';
import { keptCount } from '../plan/plan.js';
import type { Change, PruneReport, PruneResult } from './result.js';
import type { Draft } from './stage.js';

/** Puts together what the stages hand on. */
export function resultOf(draft: Draft, timings: PruneReport['timings']): PruneResult {
  const { model, dense, done } = draft;
  const { analysis, plan } = selected(draft);
  const parts = done.flatMap(({ planFile }) => planFile ?? []);
  return {
    model,
    plan,
    planFile: (sha256) =>
      planToFile(analysis.grouping, plan, {
        sha256,
        graph: dense.canonical.restore(dense.model).graph,
        branches: parts.flatMap(({ branches = [] }) => branches),
        weightsChanged: parts.some(({ weightsChanged }) => weightsChanged),
        weightsTrained: parts.some(({ weightsTrained }) => weightsTrained),
        bases: parts.flatMap(({ bases = [] }) => bases),
        addedNodes: parts.flatMap(({ addedNodes = [] }) => addedNodes),
        removedNodes: parts.flatMap(({ removedNodes = [] }) => removedNodes),
      }),
    analysis,
    report: reportOf(draft, timings),
  };
}

/** The model whose channels were chosen: reconstruction may add biases, which no stage before knows. */
function selected(draft: Draft): Draft {
  return draft.done.findLast(({ phase }) => phase === 'select' || phase === 'sparsify')?.after ?? draft;
}

function reportOf(draft: Draft, timings: PruneReport['timings']): PruneReport {
  const { dense, done } = draft;
  const { analysis, plan } = selected(draft);
  const { grouping, cost, shapes } = analysis;
  const count = keptCount(plan);
  const change = (measure: 'macs' | 'parameters' | 'bytes'): Change => ({
    dense: dense.cost[measure](),
    pruned: cost[measure](count),
  });
  const stated = done.reduce<Partial<PruneReport>>((all, { report }) => ({ ...all, ...report }), {});
  return {
    depth: stated.depth,
    rotated: stated.rotated ?? [],
    groups: stated.groups ?? [],
    macs: change('macs'),
    parameters: change('parameters'),
    bytes: change('bytes'),
    activations: {
      dense: activationMemory(dense.grouping, dense.cost, dense.shapes)(),
      pruned: activationMemory(grouping, cost, shapes)(count),
    },
    budgets: stated.budgets ?? [],
    knapsack: stated.knapsack,
    trials: stated.trials ?? [],
    latency: stated.latency,
    coverage: {
      all: coverage(grouping, cost),
      withoutResidualStream: coverage(grouping, cost, { residualStream: false }),
    },
    blockers: blockedBy(grouping, cost).slice(0, 10),
    reconstruction: stated.reconstruction,
    verification: stated.verification,
    sparsification: stated.sparsification,
    training: stated.training,
    warnings: [
      ...dense.warnings,
      ...shapes.unknownOps.map(
        ({ node, op }) => `onnxruntime doesn't know op ${op} of node '${node}'; it was left out of the proof`,
      ),
      ...done.flatMap(({ report }) => report?.warnings ?? []),
    ],
    timings,
  };
}
