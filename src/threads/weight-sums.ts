import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

import { leadingSums, type LeadingSums, type Power } from '../members/sums.js';
import { PruneError, type PruneErrorCode } from '../errors.js';
import type { DataType } from '../onnx/data-type.js';
import type { Tensor } from '../onnx/tensor.js';

/** What a thread is told of a tensor: it reads the file itself. */
export interface SumTask {
  readonly name: string;
  readonly dims: readonly number[];
  readonly dtype: DataType;
  readonly path: string;
  readonly offset: number;
  readonly byteLength: number;
}

/** What a thread is started with. */
export interface SumJob {
  readonly tasks: readonly SumTask[];
  readonly power: Power;
}

/** What a thread answers, once. */
export type SumAnswer =
  | { readonly sums: readonly LeadingSums[] }
  | { readonly error: { readonly code: PruneErrorCode; readonly message: string } };

/** With fewer bytes a thread takes longer to start than it saves. */
const worthwhileBytes = 2 ** 28;
/** More don't read faster. */
const mostThreads = 4;

/**
 * `leadingSums` of weights, shared out by size over one thread a core, this one among them. Only what lies in a file is
 * given away. Weights that are small together are left out: they are quicker summed when they are asked for.
 * @throws PruneError what reading throws; `aborted`.
 */
export async function sumsInThreads(
  tensors: readonly Tensor[],
  power: Power,
  signal?: AbortSignal,
  leastBytes = worthwhileBytes,
): Promise<Map<Tensor, LeadingSums>> {
  const inFiles = tensors.filter(({ data }) => data.file !== undefined);
  const total = inFiles.reduce((sum, { data }) => sum + data.byteLength, 0);
  const threads = Math.min(mostThreads, availableParallelism());
  if (total < leastBytes || threads < 2) return new Map();
  const [own, ...others] = shared(inFiles, threads);
  const jobs = others.map((part) => inThread(part, power, signal));
  const sums = new Map(own!.map((tensor) => [tensor, leadingSums(tensor, power)]));
  for (const [i, answers] of (await Promise.all(jobs)).entries())
    answers.forEach((answer, k) => sums.set(others[i]![k]!, answer));
  return sums;
}

/** The largest first, each to the part that has the least so far. */
function shared(tensors: readonly Tensor[], parts: number): Tensor[][] {
  const out = Array.from({ length: parts }, () => ({ bytes: 0, tensors: [] as Tensor[] }));
  for (const tensor of tensors.toSorted((a, b) => b.data.byteLength - a.data.byteLength)) {
    const least = out.reduce((a, b) => (b.bytes < a.bytes ? b : a));
    least.tensors.push(tensor);
    least.bytes += tensor.data.byteLength;
  }
  return out.map((part) => part.tensors);
}

async function inThread(
  tensors: readonly Tensor[],
  power: Power,
  signal: AbortSignal | undefined,
): Promise<readonly LeadingSums[]> {
  const tasks = tensors.map(({ name, dims, dtype, data }): SumTask => {
    return { name, dims, dtype, ...data.file!, byteLength: data.byteLength };
  });
  const job: SumJob = { tasks, power };
  const worker = new Worker(new URL('./weight-sums-worker.js', import.meta.url), { workerData: job });
  const stop = (): void => void worker.terminate();
  signal?.addEventListener('abort', stop);
  try {
    const answer = await new Promise<SumAnswer>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.once('exit', () =>
        reject(new PruneError(signal?.aborted ? 'aborted' : 'internal', 'a thread ended; report this')),
      );
    });
    if ('error' in answer) throw new PruneError(answer.error.code, answer.error.message);
    return answer.sums;
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}
