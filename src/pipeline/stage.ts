import type { Analysis } from '../analysis/analyze.js';
import type { KeptMasks } from '../axes/project.js';
import { throwIfAborted } from '../errors.js';
import type { Model } from '../onnx/model.js';
import type { Phase } from '../options/common.js';
import type { PlanFileDetails } from '../plan/file.js';
import type { Plan } from '../plan/plan.js';
import type { ProofLevel } from '../verify/report.js';
import type { VerifyInput } from '../verify/input.js';
import type { PipelineOptions } from '../options/resolve.js';
import type { PruneReport } from './result.js';

/** A model on its way through the pipeline. */
export interface Draft {
  /** The analysis of the model that was given. */
  readonly dense: Analysis;
  /**
   * The analysis of the model so far, before any of its channels is removed: residual branches may be gone, and weights
   * may differ from those of the dense model.
   */
  readonly analysis: Analysis;
  /** Which of its channels go. */
  readonly plan: Plan;
  /** What removing each channel costs, by the group's id, where that is known: descending. */
  readonly losses: ReadonlyMap<string, Float64Array>;
  /** What would be written now, in the form of a file. */
  readonly model: Model;
  /** What was done to it, in order. */
  readonly done: readonly Transition[];
}

/** What a stage says of the model that it made, to be proved. */
export interface Claim {
  /** What the model after the stage has to compute, as a model over the values of the analysis before it. */
  readonly reference: Model;
  /** What of the reference is removed, as `keptMasks(plan)` gives it. */
  readonly masks: KeptMasks;
  /** What the weights are to those of the reference, as `VerifyInput` says. Default `sliced`. */
  readonly weights?: VerifyInput['weights'];
  /** The highest level at which the two agree. Default: all. */
  readonly upTo?: ProofLevel | undefined;
  /** Which values have to be comparable for there to be a proof, as the failure names them. Default: none. */
  readonly needs?: string | undefined;
}

/** What a stage hands on. */
export interface StageOutcome {
  /** What is different now. */
  readonly draft?: Partial<Omit<Draft, 'dense' | 'done'>>;
  /** Undefined where there is nothing to prove: the model is as it was, or its weights were changed on purpose. */
  readonly claim?: Claim | undefined;
  /** Its part of the report. */
  readonly report?: Partial<PruneReport>;
  /** Its part of the plan file. */
  readonly planFile?: Partial<PlanFileDetails>;
}

/** What a stage did to a model. */
export interface Transition extends Omit<StageOutcome, 'draft'> {
  readonly phase: Phase;
  readonly before: Draft;
  readonly after: Draft;
}

/** One step of the pipeline; each goes on from what the one before it made. */
export interface Stage<Options = PipelineOptions> {
  readonly phase: Phase;
  /** Undefined where the options ask for nothing of it. */
  readonly run: (draft: Draft, options: Options) => Promise<StageOutcome | undefined>;
}

export function draftOf(dense: Analysis): Draft {
  const model = dense.canonical.restore(dense.model);
  return { dense, analysis: dense, plan: { kept: new Map() }, losses: new Map(), model, done: [] };
}

/** Takes a model through one stage. */
export async function advance<Options extends { readonly signal?: AbortSignal | undefined }>(
  before: Draft,
  { phase, run }: Stage<Options>,
  options: Options,
): Promise<Draft> {
  throwIfAborted(options.signal);
  const outcome = await run(before, options);
  if (!outcome) return before;
  const { draft, ...rest } = outcome;
  const after = { ...before, ...draft };
  return { ...after, done: [...before.done, { phase, before, after, ...rest }] };
}
