import { analyze, type Analysis } from '../analysis/analyze.js';
import { nodeLabel } from '../onnx/names.js';
import { savingOf } from '../cost/saving.js';
import type { DataSource } from '../data/batch.js';
import { blocksOf, type Block } from '../depth/blocks.js';
import { findBranches, type Branch, type FoundBranches } from '../depth/branches.js';
import { chooseBlocks, type DepthChoice } from '../depth/choose.js';
import { gateBranches, removeBranches } from '../depth/remove.js';
import { PruneError } from '../errors.js';
import type { LossSpec } from '../gradients/losses.js';
import type { Model } from '../onnx/model.js';
import type { AnalyzeOptions } from '../options/analyze.js';
import { depthOptions, type DepthOptions } from '../options/depth.js';
import { plannedBranches, type PlannedBranch } from '../plan/file.js';
import { nodeKeys } from '../plan/node-keys.js';
import type { BranchOutcome, DepthReport } from './result.js';
import { variedShapes } from '../shapes/variation.js';
import type { Runtime } from '../runtime/runtime.js';
import { nameFilter } from '../select/names.js';
import type { Draft, StageOutcome } from './stage.js';

export interface DepthPruneOptions extends AnalyzeOptions, DepthOptions {
  readonly runtime: Runtime;
  readonly data?: DataSource | undefined;
  readonly loss?: LossSpec | undefined;
  readonly ignore?: readonly string[] | undefined;
  readonly only?: readonly string[] | undefined;
  /** A plan file's content; its branches are removed, whatever else the options say. */
  readonly plan?: unknown;
}

/**
 * Removes residual branches as the options or a plan ask for. What is left must compute what the dense model does with
 * those branches multiplied by zero.
 * @throws PruneError `invalid-option`, `nothing-to-prune`, and what analysing throws.
 */
export async function pruneDepth(
  { analysis: dense }: Draft,
  options: DepthPruneOptions,
): Promise<StageOutcome | undefined> {
  const planned = plannedBranches(options.plan);
  if (planned.length === 0 && options.depth === undefined) return undefined;
  const found = await findAll(dense, options.signal);
  const listed = planned.length > 0 ? branchesOf(planned, found, dense) : undefined;
  const choice = listed ? undefined : await choose(dense, found, options);
  const removed = listed ?? choice!.blocks.filter((entry) => entry.removed).flatMap(({ block }) => block);
  const shortened = removeBranches(dense.model, removed);
  const analysis = await analyze(dense.canonical.restore(shortened.model), options);
  const places = placesOf(dense);
  return {
    draft: { analysis, model: analysis.canonical.restore(analysis.model) },
    claim: {
      reference: gateBranches(dense.model, removed, (value) => dense.shapes.dtypeOf(value)),
      masks: new Map(),
      needs: 'behind the removed branches',
    },
    report: { depth: reportOf(dense, found, new Set(removed), choice, options) },
    planFile: {
      branches: removed.map((branch) => ({ ...places(branch), input: branch.input })),
      removedNodes: shortened.removed.map(({ name, outputs }) => name || outputs[0]!),
    },
  };
}

/** At a second size of the symbolic dims too: what broadcasts may only show there. */
async function findAll(
  { model, cost, shapes, runtime }: Analysis,
  signal?: AbortSignal,
): Promise<FoundBranches> {
  const varied = await variedShapes(model, shapes, runtime, signal);
  const sizes = varied ? [shapes, varied] : [shapes];
  return findBranches({
    model,
    cost,
    dtypeOf: (value) => shapes.dtypeOf(value),
    shapes: sizes.map((at) => (value: string) => at.of(value)),
  });
}

/** Where the sum of a branch is in the dense file. */
function placesOf({ model, canonical }: Analysis): (branch: Branch) => Omit<PlannedBranch, 'input'> {
  const places = nodeKeys(canonical.restore(model).graph);
  return ({ node }) => {
    const { graph, node: key } = places.get(model.graph.nodes[node]!.outputs[0]!)!;
    return { ...(graph && { graph }), node: key };
  };
}

function branchesOf(
  planned: readonly PlannedBranch[],
  { branches }: FoundBranches,
  dense: Analysis,
): Branch[] {
  const places = placesOf(dense);
  return planned.map(({ graph = '', node, input }) => {
    const found = branches.find((branch) => {
      const place = places(branch);
      return place.node === node && (place.graph ?? '') === graph && branch.input === input;
    });
    if (found) return found;
    const label = graph ? `${graph}/${node}` : node;
    throw new PruneError(
      'invalid-option',
      `invalid plan: input ${input} of '${label}' is no residual branch of this model; use the plan's own model`,
    );
  });
}

async function choose(
  dense: Analysis,
  found: FoundBranches,
  options: DepthPruneOptions,
): Promise<DepthChoice> {
  const { grouping, shapes, runtime } = dense;
  const { depth, data, loss, signal, onProgress } = options;
  const { depthScore = depthOptions.depthScore.default, depthUnit = depthOptions.depthUnit.default } =
    options;
  const blocks = eligible(dense.model, blocksOf(found.branches, depthUnit), options);
  if (blocks.length === 0)
    throw new PruneError('nothing-to-prune', `no residual branch can be removed; ${reasonFor(found)}`);
  return chooseBlocks(grouping, blocks, (value) => shapes.dtypeOf(value), {
    ...{ share: depth!, score: depthScore, runtime, data: data!, loss, signal },
    onBatch: (done) => onProgress?.({ phase: 'depth', done, total: data!.count ?? done, detail: 'examples' }),
  });
}

/** Those that touch nothing that is ignored, and something that is asked for. */
function eligible(
  { graph }: Model,
  blocks: readonly Block[],
  { ignore = [], only = [] }: DepthPruneOptions,
): readonly Block[] {
  const [isIgnored, isIncluded] = [nameFilter(ignore), nameFilter(only)];
  return blocks.filter((block) => {
    const nodes = block.flatMap(({ node, nodes }) => [node, ...nodes]);
    const names = nodes.flatMap((index) => [
      nodeLabel(graph.nodes[index]!, index),
      ...graph.nodes[index]!.inputs.filter(Boolean),
    ]);
    return !names.some(isIgnored) && (only.length === 0 || names.some(isIncluded));
  });
}

function reasonFor({ branches, refused }: FoundBranches): string {
  if (branches.length > 0) return 'the filters leave none; relax ignore and only';
  const [first] = refused;
  return first ? `'${first.name}': ${first.why}` : 'no sum adds what is computed from its other input';
}

function reportOf(
  { grouping, cost }: Analysis,
  { branches, refused }: FoundBranches,
  gone: ReadonlySet<Branch>,
  choice: DepthChoice | undefined,
  { depthUnit = depthOptions.depthUnit.default, data }: DepthPruneOptions,
): DepthReport {
  const blockOf = new Map<
    Branch,
    { readonly number: number; readonly block: Block; readonly score: number }
  >();
  choice?.blocks.forEach(({ block, score }, number) => {
    for (const branch of block) blockOf.set(branch, { number, block, score });
  });
  return {
    unit: choice && depthUnit,
    measure: choice?.measure,
    data: choice && data?.description,
    branches: branches.map((branch): BranchOutcome => {
      const { number, score } = blockOf.get(branch) ?? {};
      const { id, name, removes } = branch;
      const { macs, parameters } = savingOf(grouping, cost, new Set(removes));
      return { id, name, macs, parameters, block: number, score, removed: gone.has(branch) };
    }),
    refused,
  };
}
