import type { Grouping } from '../groups/group.js';
import { PruneError } from '../errors.js';
import type { Block } from './blocks.js';
import { DepthLoss, type DepthLossOptions } from './loss.js';
import type { DepthScore } from './options.js';
import { similarityScores } from './similarity.js';

export interface ScoredBlock {
  readonly block: Block;
  /** 1 − cosine, or by how much the loss rose without it, when that was last measured. Lowest goes first. */
  readonly score: number;
  readonly removed: boolean;
}

export interface DepthChoice {
  readonly blocks: readonly ScoredBlock[];
  /** What was measured: `similarity` or the name of a loss. */
  readonly measure: string;
}

export interface ChooseOptions extends DepthLossOptions {
  /** Share of the blocks to remove, in [0, 1): rounded to whole blocks, of which one stays. */
  readonly share: number;
  readonly score: DepthScore;
}

/**
 * Chooses the blocks to remove. Equal scores go in graph order.
 * @throws PruneError `invalid-option`, `nothing-to-prune` where the share is less than half a block.
 */
export async function chooseBlocks(
  grouping: Grouping,
  blocks: readonly Block[],
  dtypeOf: ConstructorParameters<typeof DepthLoss>[2],
  options: ChooseOptions,
): Promise<DepthChoice> {
  const { share, score } = options;
  const count = Math.min(blocks.length - 1, Math.round(share * blocks.length));
  if (count < 1)
    throw new PruneError(
      'nothing-to-prune',
      `a depth of ${share} is less than one of ${blocks.length} residual blocks; remove more, or see prune inspect`,
    );
  if (score === 'loss') return byLoss(grouping, blocks, count, dtypeOf, options);
  const scores = await similarityScores(grouping, blocks, options);
  const order = blocks.map((_, i) => i).sort((a, b) => scores[a]! - scores[b]! || a - b);
  const removed = new Set(order.slice(0, count));
  return {
    blocks: blocks.map((block, i) => ({ block, score: scores[i]!, removed: removed.has(i) })),
    measure: 'similarity',
  };
}

/**
 * Greedily one at a time; then each removed block in turn gives its place to the one whose removal costs least in the
 * company of the others, which may be itself. Scores are those of the last round that a block took part in.
 */
async function byLoss(
  { analysis: { model } }: Grouping,
  blocks: readonly Block[],
  count: number,
  dtypeOf: ConstructorParameters<typeof DepthLoss>[2],
  options: ChooseOptions,
): Promise<DepthChoice> {
  const measured = new DepthLoss(model, blocks.flat(), dtypeOf, options);
  const scores = new Float64Array(blocks.length);
  /** In addition to the given ones: of all others the one without which the loss rises least. */
  const cheapestBeside = async (gone: ReadonlySet<number>): Promise<number> => {
    const candidates = blocks.map((_, i) => i).filter((i) => !gone.has(i));
    const branches = [...gone].flatMap((i) => blocks[i]!);
    const sets = candidates.map((i) => new Set([...branches, ...blocks[i]!]));
    const [before, ...losses] = await measured.without([new Set(branches), ...sets]);
    candidates.forEach((i, k) => (scores[i] = losses[k]! - before!));
    return candidates.reduce((a, b) => (less(scores[b]!, scores[a]!) ? b : a));
  };
  const removed = new Set<number>();
  try {
    while (removed.size < count) removed.add(await cheapestBeside(removed));
    if (count > 1)
      for (const block of [...removed]) {
        removed.delete(block);
        removed.add(await cheapestBeside(removed));
      }
  } finally {
    await measured.release();
  }
  return {
    blocks: blocks.map((block, i) => ({ block, score: scores[i]!, removed: removed.has(i) })),
    measure: measured.loss.name,
  };
}

/** A loss that is no number is the worst. */
function less(a: number, b: number): boolean {
  return a < b || (Number.isNaN(b) && !Number.isNaN(a));
}
