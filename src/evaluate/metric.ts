import type { Batch } from '../data/batch.js';
import { PruneError } from '../errors.js';
import type { Outputs } from './outputs.js';

/** A mean over the examples of one batch, or several by name. Batch and outputs hold valid examples only. */
export type Metric = (
  outputs: Outputs,
  batch: Batch,
) => number | Readonly<Record<string, number>> | Promise<number | Readonly<Record<string, number>>>;

/** Mean of a metric over examples: batches weigh as many as they hold. */
export class MetricMean {
  private readonly sums = new Map<string, { sum: number; examples: number }>();

  constructor(private readonly metric: Metric) {}

  async add(outputs: Outputs, batch: Batch): Promise<void> {
    const result = await this.metric(outputs, batch);
    for (const [name, value] of Object.entries(typeof result === 'number' ? { metric: result } : result)) {
      if (typeof value !== 'number') {
        throw new PruneError('invalid-option', `metric '${name}' returned ${String(value)}; return a number`);
      }
      const entry = this.sums.get(name) ?? { sum: 0, examples: 0 };
      this.sums.set(name, entry);
      entry.sum += value * batch.size;
      entry.examples += batch.size;
    }
  }

  result(): Record<string, number> {
    return Object.fromEntries([...this.sums].map(([name, { sum, examples }]) => [name, sum / examples]));
  }
}
