import type { Batch } from '../data/batch.js';
import type { Loss } from '../gradients/losses.js';
import { GradientRunner } from '../gradients/session.js';
import type { Provider, Runtime } from '../runtime/runtime.js';
import type { Student } from './student.js';
import type { Values } from './values.js';

export interface StepOptions {
  readonly student: Student;
  readonly loss: Loss;
  readonly runtime: Runtime;
  readonly threads?: number | undefined;
  readonly provider?: Provider | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How much of the batch's statistics goes into the running ones, as in PyTorch. */
const momentum = 0.1;

/** Runs the student forward and backward; its weights are inputs of the session, which is made once for each shape. */
export class StepRunner {
  private readonly runner: GradientRunner;

  constructor(private readonly options: StepOptions) {
    const { student, loss, runtime, threads, provider, signal } = options;
    this.runner = new GradientRunner({
      model: student.training,
      ...{ runtime, loss, threads, provider, signal },
      wrt: student.trainable.map(({ name }) => name),
      watch: student.statistics.flatMap(({ batch }) => batch),
      fedWeights: true,
    });
  }

  /**
   * Loss and gradients of a batch; running statistics among the values move towards the batch's.
   * @param values of the student; `forward`: weights to compute with instead, where a recipe asks for others
   */
  async run(
    batch: Batch,
    values: Values,
    forward: Values = values,
  ): Promise<{ readonly loss: number; readonly gradients: ReadonlyMap<string, Float32Array> }> {
    const { student } = this.options;
    const weights = new Map(student.trainable.map(({ name }) => [name, forward.get(name)!]));
    const { loss, gradients, watched } = await this.runner.run(batch, weights);
    for (const { running, batch: names } of student.statistics) {
      names.forEach((name, i) => {
        const [average, now] = [values.get(running[i]!)!, watched.get(name)!];
        for (let c = 0; c < average.length; c++) average[c]! += momentum * (now[c]! - average[c]!);
      });
    }
    return { loss, gradients };
  }

  release(): Promise<void> {
    return this.runner.release();
  }
}
