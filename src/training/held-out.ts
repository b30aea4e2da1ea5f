import { throwIfAborted } from '../errors.js';
import type { Loss } from '../gradients/losses.js';
import { GradientRunner } from '../gradients/session.js';
import { floatTensor } from '../onnx/values.js';
import type { Provider, Runtime } from '../runtime/runtime.js';
import type { TrainingData } from './passes.js';
import type { Student } from './student.js';
import type { Teacher } from './teacher.js';
import type { Values } from './values.js';

export interface HeldOutOptions {
  readonly student: Student;
  readonly loss: Loss;
  readonly data: TrainingData;
  readonly teacher: Teacher;
  readonly runtime: Runtime;
  readonly threads?: number | undefined;
  readonly provider?: Provider | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Judges states of the student by their loss on the examples that are held out, run as users will run it. */
export class HeldOut {
  private readonly runner: GradientRunner;
  private readonly dims: ReadonlyMap<string, readonly number[]>;

  constructor(private readonly options: HeldOutOptions) {
    const { student, loss, runtime, threads, provider, signal } = options;
    this.dims = new Map(student.model.graph.initializers.map(({ name, dims }) => [name, dims]));
    this.runner = new GradientRunner({
      model: student.model,
      ...{ runtime, loss, threads, provider, signal },
      wrt: [],
    });
  }

  /** The mean loss; not a number if it is infinite anywhere. */
  async loss(values: Values): Promise<number> {
    const { data, teacher, signal } = this.options;
    const tensors = [...values].map(([name, own]) => floatTensor(name, own, this.dims.get(name)));
    await this.runner.replaceWeights(new Map(tensors.map((tensor) => [tensor.name, tensor])));
    let sum = 0;
    let count = 0;
    for await (const drawn of data.heldOut()) {
      throwIfAborted(signal);
      const { batch } = drawn;
      const extras = { ...batch.extras, ...(await teacher.values(drawn)) };
      const { loss } = await this.runner.run({ ...batch, extras });
      sum += loss * batch.valid;
      count += batch.valid;
    }
    return Number.isFinite(sum) ? sum / count : NaN;
  }

  async release(): Promise<void> {
    await this.runner.release();
  }
}
