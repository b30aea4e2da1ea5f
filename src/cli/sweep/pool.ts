import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { PruneError } from '../../errors.js';
import type { Cell, CellResult } from '../../sweep/cells.js';
import type { Answer, Job, SweepSetting } from './job.js';

/** Times that a cell is given to a worker; one that dies takes its cell along. */
const tries = 2;

/**
 * Tries cells in worker processes, each result handed on as soon as it is there. A worker that dies is replaced.
 * @param signal stops the workers; what is finished stays
 */
export async function runCells(
  setting: SweepSetting,
  cells: readonly Cell[],
  workers: number,
  signal: AbortSignal,
  onResult: (result: CellResult) => Promise<void>,
): Promise<void> {
  const queue = cells.map((cell) => ({ cell, left: tries }));
  const work = async (): Promise<void> => {
    let worker: Worker | undefined;
    try {
      for (let next = queue.shift(); next && !signal.aborted; next = queue.shift()) {
        worker ??= new Worker(signal);
        const answer = await worker.ask({ setting, cell: next.cell });
        if (answer && 'cell' in answer) await onResult(answer);
        else {
          worker = undefined;
          if (signal.aborted) return;
          if (--next.left > 0) queue.push(next);
          else await onResult({ cell: next.cell, error: 'the worker process died', milliseconds: 0 });
        }
      }
    } finally {
      worker?.end();
    }
  };
  await Promise.all(Array.from({ length: Math.min(workers, cells.length) }, work));
  if (signal.aborted)
    throw new PruneError('aborted', 'aborted; start again to go on with the cells that are missing');
}

/** The dense model's accuracy, by a worker as well: onnxruntime's memory goes with it. */
export async function denseAccuracy(setting: SweepSetting, signal: AbortSignal): Promise<number | undefined> {
  const worker = new Worker(signal);
  try {
    const answer = await worker.ask({ setting, cell: undefined });
    if (answer && 'denseAccuracy' in answer) return answer.denseAccuracy;
    throw new PruneError(
      signal.aborted ? 'aborted' : 'runtime',
      "the dense model can't be evaluated; try prune eval with the same data to see why",
    );
  } finally {
    worker.end();
  }
}

class Worker {
  private readonly child: ChildProcess;
  private dead = false;
  private readonly stop = (): void => this.end();

  constructor(private readonly signal: AbortSignal) {
    this.child = fork(fileURLToPath(new URL('worker.js', import.meta.url)), {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      serialization: 'advanced',
    });
    this.child.once('exit', () => (this.dead = true));
    signal.addEventListener('abort', this.stop, { once: true });
  }

  /** Undefined if the process died over it. */
  ask(job: Job): Promise<Answer | undefined> {
    if (this.dead) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const onExit = (): void => resolve(undefined);
      this.child.once('exit', onExit);
      this.child.once('message', (answer: Answer) => {
        this.child.off('exit', onExit);
        resolve(answer);
      });
      this.child.send(job);
    });
  }

  end(): void {
    this.signal.removeEventListener('abort', this.stop);
    if (!this.dead) this.child.kill('SIGKILL');
  }
}
