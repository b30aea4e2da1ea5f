import { analyze } from '../analysis/analyze.js';
import type { Model } from '../onnx/model.js';
import { resolvePipelineOptions, type EngineOptions } from '../options/resolve.js';
import { probeProvider } from '../runtime/probe.js';
import { countedData } from './counted-data.js';
import { pruneDepth } from './depth.js';
import { distilWeights } from './distil.js';
import { proveStages } from './prove.js';
import { reconstructWeights } from './reconstruct.js';
import { resultOf } from './report.js';
import type { PruneResult } from './result.js';
import { removeChannels } from './rewrite.js';
import { rotateChannels } from './rotate.js';
import { selectChannels } from './select.js';
import { pruneWhileTraining } from './sparsify.js';
import { advance, draftOf, type Stage } from './stage.js';

/** What is done to a model once it is analysed, in order. */
const stages: readonly Stage[] = [
  { phase: 'depth', run: pruneDepth },
  { phase: 'rotation', run: rotateChannels },
  { phase: 'select', run: selectChannels },
  { phase: 'sparsify', run: pruneWhileTraining },
  { phase: 'reconstruct', run: reconstructWeights },
  { phase: 'rewrite', run: removeChannels },
  { phase: 'verify', run: proveStages },
  { phase: 'train', run: distilWeights },
];

/**
 * Prunes a model: analyses it, and takes it through the stages.
 * @throws PruneError `invalid-option`, `budget`, `nothing-to-prune`, `runtime`, `verification` (the proof failed), `aborted`.
 */
export async function prunePipeline(model: Model, given: EngineOptions): Promise<PruneResult> {
  const options = { ...resolvePipelineOptions(given), data: await countedData(model, given) };
  await probeProvider(options.runtime, options.provider);
  const dense = await analyze(model, options);
  const timings: Record<string, number> = { ...dense.timings };
  let draft = draftOf(dense);
  for (const stage of stages) {
    const start = performance.now();
    const next = await advance(draft, stage, options);
    if (next !== draft) timings[stage.phase] = performance.now() - start;
    draft = next;
  }
  return resultOf(draft, timings);
}
