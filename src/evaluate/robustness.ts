import type { DataSource } from '../data/batch.js';
import { corrupted, corruptions, imageLayout, type Corruption } from '../data/corruption.js';
import type { Model } from '../onnx/model.js';
import { evaluate, type EvaluateOptions } from './evaluate.js';

/** Top-1 of both models under one condition, in [0, 1]. */
export interface RobustnessRow {
  readonly condition: 'clean' | Corruption;
  readonly dense: number;
  readonly pruned: number;
}

export interface Robustness {
  /** Each model saw the first so many examples under every condition. */
  readonly examples: number;
  readonly rows: readonly RobustnessRow[];
}

/** Examples that are enough to see a difference of a few points. */
const enough = 1000;

/**
 * How the dense and the pruned model do on the same labelled images, clean and with common corruptions: what pruning
 * costs on clean images often says little about noisy ones (Hooker et al., What Do Compressed Deep Neural Networks
 * Forget?, 2019). Undefined for data without labels or images, and for models without class scores.
 */
export async function robustness(
  dense: Model,
  pruned: Model,
  { data, ...options }: Omit<EvaluateOptions, 'reference' | 'metric'>,
): Promise<Robustness | undefined> {
  const some = await firstExamples(data, enough);
  if (!some) return undefined;
  const rows: RobustnessRow[] = [];
  let examples = 0;
  for (const condition of ['clean', ...corruptions] as const) {
    const shown = condition === 'clean' ? some : corrupted(some, condition);
    // The metric keeps labels without class scores from being an error.
    const [before, after] = [
      await evaluate(dense, { ...options, data: shown, metric: () => 0 }),
      await evaluate(pruned, { ...options, data: shown, metric: () => 0 }),
    ];
    if (!before.accuracy || !after.accuracy) return undefined;
    examples = before.examples;
    rows.push({ condition, dense: before.accuracy.top1, pruned: after.accuracy.top1 });
  }
  return { examples, rows };
}

/** The first examples, or undefined if their first batch has no labels or no images. */
async function firstExamples(data: DataSource, count: number): Promise<DataSource | undefined> {
  for await (const { labels, inputs } of data) {
    if (!labels || !Object.values(inputs).some((tensor) => imageLayout(tensor))) return undefined;
    break;
  }
  return {
    labelled: true,
    description: data.description,
    async *[Symbol.asyncIterator]() {
      let left = count;
      for await (const batch of data) {
        yield batch.valid > left ? { ...batch, valid: left } : batch;
        left -= batch.valid;
        if (left <= 0) return;
      }
    },
  };
}
