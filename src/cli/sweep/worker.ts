import { join } from 'node:path';
import * as api from '../../index.js';
import { cellName, type CellResult } from '../../sweep/cells.js';
import { optionsOf, type Answer, type Job } from './job.js';

/** A process of a sweep: answers each job with a message, and ends when its parent does. */
process.on('message', (job: Job) => {
  void answer(job).then((result) => process.send!(result));
});
process.on('disconnect', () => process.exit());

async function answer({ setting, cell }: Job): Promise<Answer> {
  const { model, options, evalData, bench, models } = setting;
  const { provider, threads } = options;
  const measure = { provider, threads };
  const start = performance.now();
  if (!cell) {
    const { accuracy } = await api.evaluate(model, { ...measure, data: evalData });
    return { denseAccuracy: accuracy?.top1 };
  }
  const result = (rest: Partial<CellResult>): CellResult => ({
    cell,
    ...rest,
    milliseconds: Math.round(performance.now() - start),
  });
  try {
    const pruned = await api.prune(model, { ...options, ...optionsOf(cell) });
    if (models !== undefined) await api.saveModel(pruned.model, join(models, `cell-${cellName(cell)}.onnx`));
    const { macs, parameters } = pruned.report;
    const { accuracy, agreement, differences } = await api.evaluate(pruned.model, {
      ...{ ...measure, data: evalData },
      reference: model,
    });
    const timing = bench
      ? await api.bench(
          [
            { name: 'dense', model },
            { name: 'pruned', model: pruned.model },
          ],
          measure,
        )
      : undefined;
    const errors = differences?.flatMap(({ relative }) => (relative === undefined ? [] : [relative])) ?? [];
    return result({
      macs: macs.pruned / macs.dense,
      parameters: parameters.pruned / parameters.dense,
      latency: timing && 1 / timing.comparisons[0]!.speedup,
      accuracy: accuracy?.top1,
      agreement: agreement?.share,
      outputError: errors.length > 0 ? Math.max(...errors) : undefined,
    });
  } catch (error) {
    return result({ error: error instanceof Error ? error.message.split('\n')[0]! : String(error) });
  }
}
