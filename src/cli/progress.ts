import { printable } from '../errors.js';
import type { Progress } from '../options/common.js';

/** What each phase is for people. */
const labels: Readonly<Record<Progress['phase'], string>> = {
  shapes: 'inferring shapes',
  axes: 'relating axes',
  depth: 'scoring residual branches',
  rotation: 'rotating channels',
  score: 'scoring channels',
  select: 'selecting channels',
  reconstruct: 'reconstructing layers',
  rewrite: 'rewriting the model',
  verify: 'proving it',
  bench: 'measuring',
  measure: 'measuring latencies',
  gradients: 'differentiating',
  evaluate: 'evaluating',
  sweep: 'sweeping',
  train: 'training',
  sparsify: 'pruning while training',
};

/** Milliseconds between two updates of the line. */
const interval = 100;

/** A line that is rewritten in place on a terminal; nothing elsewhere. */
export class ProgressLine {
  private shownAt = -Infinity;
  private phase: Progress['phase'] | undefined;

  constructor(private readonly stream: NodeJS.WriteStream | undefined) {}

  readonly update = (progress: Progress): void => {
    if (!this.stream) return;
    const now = performance.now();
    if (progress.phase === this.phase && now - this.shownAt < interval) return;
    this.phase = progress.phase;
    this.shownAt = now;
    const { done, total, detail } = progress;
    const count = total > 1 ? ` ${done}/${total}` : '';
    const line = printable(`${labels[progress.phase]}${count}${detail ? ` ${detail}` : ''}`);
    this.stream.write(`\r\u001b[2K${line.slice(0, (this.stream.columns || 80) - 1)}`);
  };

  clear(): void {
    if (this.phase === undefined) return;
    this.stream?.write('\r\u001b[2K');
    this.phase = undefined;
  }
}
