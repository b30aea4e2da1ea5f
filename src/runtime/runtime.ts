import type { InferenceSession, Tensor } from 'onnxruntime-common';

/** Where a session runs. */
export type Provider = (typeof providers)[number];

export const providers = ['cpu', 'cuda', 'webgpu'] as const;

export interface SessionOptions {
  /** Default `cpu`. No silent fallback: a provider that isn't there throws `runtime`. */
  readonly provider?: Provider;
  /** Default `all`. Shape inference uses `basic`; verification `disabled` so that both models run the same kernels. */
  readonly optimization?: 'disabled' | 'basic' | 'extended' | 'all';
  readonly threads?: number;
  /** Prefix of the profile file onnxruntime writes when the session ends; undefined = no profile. */
  readonly profile?: string;
}

/** One executed node of a profile. */
export interface ProfiledNode {
  readonly name: string;
  readonly opType: string;
  /** As onnxruntime names it: `CPUExecutionProvider`, `CUDAExecutionProvider`, `WebGpuExecutionProvider`. */
  readonly provider: string;
  readonly microseconds: number;
}

/**
 * What the engine needs of onnxruntime. `onnxruntime-node` is one adapter (`runtime/node.ts`);
 * one for onnxruntime-web can stand beside it, since both share the types of onnxruntime-common.
 */
export interface Runtime {
  readonly name: string;
  readonly version: string;
  /** @throws PruneError `runtime` with onnxruntime's first line of explanation. */
  load(model: Uint8Array, options?: SessionOptions): Promise<InferenceSession>;
  tensor(type: Tensor.Type, data: Tensor.DataType, dims: readonly number[]): Tensor;
  /**
   * Loads the model with the profiler on, runs it (once unless `runs` says more) and returns the nodes as they were
   * executed (after optimisation, so fused nodes have onnxruntime's names).
   */
  profile(
    model: Uint8Array,
    feeds: Readonly<Record<string, Tensor>>,
    options?: SessionOptions,
    runs?: number,
  ): Promise<readonly ProfiledNode[]>;
}
