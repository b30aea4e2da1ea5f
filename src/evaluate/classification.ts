import type { Batch, BatchTensor } from '../data/batch.js';
import { isFloatElement, toNumbers } from '../data/elements.js';
import { PruneError } from '../errors.js';
import type { Outputs } from './outputs.js';

/** Below this many classes top-5 says nothing. */
const topFiveClasses = 100;

export interface Accuracy {
  /** The output that was judged. */
  readonly output: string;
  readonly examples: number;
  readonly hits: number;
  /** In [0, 1]. */
  readonly top1: number;
  /** In [0, 1]; only from 100 classes on. */
  readonly top5?: number;
}

/** Scores of one class a column: a float output [n, classes], with or without axes of size 1 after it. */
export interface Scores {
  readonly output: string;
  readonly classes: number;
  readonly values: ArrayLike<number>;
}

/**
 * The output that carries class scores: the named one, else the first that can.
 * Undefined where none can and none was named.
 * @throws PruneError `invalid-option` for a name that the model doesn't have or that carries no class scores.
 */
export function classScores(
  outputs: Outputs,
  examples: number,
  named: string | undefined,
): Scores | undefined {
  for (const [output, tensor] of Object.entries(outputs)) {
    if (named !== undefined && output !== named) continue;
    if (isScores(tensor, examples)) {
      return { output, classes: tensor.dims[1]!, values: toNumbers(tensor) };
    }
  }
  if (named === undefined) return undefined;
  const got = outputs[named] ? `has shape [${outputs[named].dims.join(', ')}]` : 'does not exist';
  const names = Object.keys(outputs).join(', ');
  throw new PruneError(
    'invalid-option',
    `output '${named}' ${got}; name one of shape [batch, classes] among ${names}`,
  );
}

function isScores({ dims, dtype }: BatchTensor, examples: number): boolean {
  return (
    isFloatElement(dtype) && dims[0] === examples && dims[1]! > 1 && dims.slice(2).every((dim) => dim === 1)
  );
}

/** Index of the largest score of a row, the first of equals; -1 where there is none but NaN. */
export function argmax({ values, classes }: Scores, row: number): number {
  let best = -1;
  let bestScore = -Infinity;
  for (let index = 0; index < classes; index++) {
    const score = values[row * classes + index]!;
    if (score > bestScore || (best < 0 && score === bestScore)) {
      best = index;
      bestScore = score;
    }
  }
  return best;
}

/** Classes that stand before the label: larger scores, and equal ones of lower index. NaN is never a hit. */
function rankOf({ values, classes }: Scores, row: number, label: number): number {
  const own = values[row * classes + label]!;
  if (Number.isNaN(own)) return classes;
  let rank = 0;
  for (let index = 0; index < classes; index++) {
    const score = values[row * classes + index]!;
    if (score > own || (score === own && index < label)) rank++;
  }
  return rank;
}

/** Counts hits over batches. */
export class AccuracyCounter {
  private output = '';
  private classes = 0;
  private examples = 0;
  private hits = 0;
  private topFive = 0;

  add(scores: Scores, { labels, valid }: Batch): void {
    this.output = scores.output;
    this.classes = scores.classes;
    for (let row = 0; row < valid; row++) {
      const label = labels![row]!;
      if (label >= scores.classes) {
        const what = `label ${label} is beyond the ${scores.classes} classes of output '${scores.output}'`;
        throw new PruneError('invalid-data', `${what}; give the labels that the model was trained with`);
      }
      const rank = rankOf(scores, row, label);
      if (rank === 0) this.hits++;
      if (rank < 5) this.topFive++;
    }
    this.examples += valid;
  }

  result(): Accuracy | undefined {
    const { output, classes, examples, hits, topFive } = this;
    if (examples === 0) return undefined;
    const top5 = classes >= topFiveClasses ? { top5: topFive / examples } : {};
    return { output, examples, hits, top1: hits / examples, ...top5 };
  }
}
