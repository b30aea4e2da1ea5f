import type { AxisRule } from './axes/rule.js';
import type { Runtime } from './runtime/runtime.js';

/** Steps of the pipeline, in order, as progress callbacks name them. */
export type Phase = 'shapes' | 'axes' | 'score' | 'select' | 'rewrite' | 'verify' | 'bench' | 'evaluate';

export interface Progress {
  readonly phase: Phase;
  readonly done: number;
  readonly total: number;
  /** What is being worked on, e.g. a tensor's name. */
  readonly detail?: string;
}

export interface CommonOptions {
  /** Aborts at the next step; the promise rejects with code `aborted`. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Default: onnxruntime-node on the CPU. */
  readonly runtime?: Runtime | undefined;
}

export interface AnalyzeOptions extends CommonOptions {
  /** Shapes of graph inputs, overriding symbolic and static dims: `{ input: [1, 3, 224, 224] }`. Symbolic dims default to 1. */
  readonly shapes?: Readonly<Record<string, readonly number[]>> | undefined;
  /** Rules for custom ops in the printed notation: `{ 'my.domain::Op': 'n c …, c -> n c …' }`. */
  readonly axisRules?: Readonly<Record<string, AxisRule>> | undefined;
  /** Axes of graph inputs and outputs that may shrink, as `glob:axis`: `['past_*:1']`. Default: none. */
  readonly allowIo?: readonly string[] | undefined;
}

/** Which channels go: exactly one of `ratio`, `budget` or `plan`. */
export interface SelectionOptions {
  /** Share of the channels of each group to remove, in [0, 1). */
  readonly ratio?: number | undefined;
  /** A cost to stay below, as a share of the dense model (0.5, '50%') or absolute (3e8, '300M'). */
  readonly budget?: Readonly<Partial<Record<'macs' | 'params' | 'bytes', number | string>>> | undefined;
  /** A plan file's content, to repeat an earlier selection. */
  readonly plan?: unknown;
  /** Where channels are ranked: within each group, over all groups, or over groups of the same kind. Default `local`. */
  readonly scope?: 'local' | 'global' | 'isomorphic' | undefined;
  /** Ratios of single groups, by glob over group, node and tensor names: `{ 'layer4.*': 0.7 }`. */
  readonly ratios?: Readonly<Record<string, number>> | undefined;
  /** Globs over node and tensor names: groups that touch one are left whole. */
  readonly ignore?: readonly string[] | undefined;
  /** Globs over node and tensor names: groups that touch none are left whole. */
  readonly only?: readonly string[] | undefined;
  /** Channels every group keeps at least. Default 1. */
  readonly minChannels?: number | undefined;
  /** Largest share that any group loses. Default 1 (but never the last channel). */
  readonly maxRatio?: number | undefined;
  /** The kept extent of every axis is a multiple of this, where it can be. Default 1. */
  readonly roundTo?: number | undefined;
  /** What of attention is pruned. Default `head-dims`. */
  readonly attention?: 'heads' | 'head-dims' | 'both' | 'none' | undefined;
  /** Also prune groups that statistics are taken over (LayerNorm). Changes the function. Default false. */
  readonly residualStream?: boolean | undefined;
}

export type VerifyLevel = 'none' | 'shapes' | 'outputs' | 'full';
