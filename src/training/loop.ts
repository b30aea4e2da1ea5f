import { PruneError, throwIfAborted } from '../errors.js';
import type { Augment } from './augment/augmentation.js';
import { MovingAverage } from './average.js';
import { clipGradients } from './clipping.js';
import type { HeldOut } from './held-out.js';
import type { Optimizer } from './optimizers/optimizer.js';
import type { LoopSettings } from './options.js';
import type { Parameters } from './parameters.js';
import type { Drawn, TrainingData } from './passes.js';
import { rateAt } from './rates.js';
import type { Moment, Recipe } from './recipes/recipe.js';
import type { PassOutcome, TrainingProgress, TrainingReport } from './report.js';
import type { TrainingState } from './state.js';
import type { StepRunner } from './step.js';
import type { Teacher } from './teacher.js';
import { randomGenerator } from '../random/random.js';
import { copyValues, type Values } from './values.js';

/** What a training is put together from. */
export interface LoopParts {
  readonly parameters: Parameters;
  readonly data: TrainingData;
  readonly teacher: Teacher;
  readonly runner: StepRunner;
  readonly heldOut: HeldOut;
  readonly optimizer: Optimizer;
  readonly augment: Augment | undefined;
  /** Prunes while training; then the last state is what is handed out, not the best one. */
  readonly recipe?: Recipe | undefined;
  readonly settings: LoopSettings;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((progress: TrainingProgress) => void) | undefined;
  /** Called after each pass, when the state is one to go on from. */
  readonly onPass: ((state: TrainingState) => Promise<void>) | undefined;
}

/** What ended before it was done. */
export class DivergedError extends PruneError {}

/** Share of a new batch in the loss that is shown. */
const shownShare = 0.05;

/** Trains a student from a state on, pass by pass; the state changes in place and holds the best one that was met. */
export class TrainingLoop {
  private shown: number | undefined;
  private readonly average: MovingAverage | undefined;
  private begun = 0;
  private gradientsAt: Moment['gradientsAt'] = () => Promise.resolve(new Map());

  constructor(
    private readonly parts: LoopParts,
    private readonly state: TrainingState,
  ) {
    const { average } = parts.settings;
    if (average !== undefined) this.average = new MovingAverage(state.average ?? state.values, average);
  }

  /** @throws DivergedError where a loss or a gradient is no finite number; the state then holds the best one before */
  async run(): Promise<TrainingReport['ended']> {
    const { state } = this;
    const { epochs, patience } = this.parts.settings;
    this.begun = performance.now() - state.milliseconds;
    state.firstLoss ??= await this.judgeFirst();
    while (state.passes.length < epochs && this.elapsed < this.parts.settings.timeLimit) {
      const loss = await this.pass(state.passes.length);
      await this.judge(loss);
      state.milliseconds = this.elapsed;
      if (this.average) state.average = this.average.values;
      await this.parts.onPass?.(state);
      if (state.passes.length - state.bestPass >= patience) return 'patience';
    }
    return 'done';
  }

  /** Steps of the whole training; not known where time is what limits it. */
  private get steps(): number {
    const { settings, data } = this.parts;
    return settings.epochs * Math.ceil(data.batchesPerPass / settings.accumulate);
  }

  private get elapsed(): number {
    return performance.now() - this.begun;
  }

  /** Part of training that is done. */
  private get share(): number {
    const { epochs, timeLimit } = this.parts.settings;
    if (epochs === Infinity) return Math.min(1, this.elapsed / timeLimit);
    return this.state.step / this.steps;
  }

  private async judgeFirst(): Promise<number> {
    const loss = await this.parts.heldOut.loss(this.state.values);
    if (!Number.isFinite(loss))
      throw new PruneError('invalid-data', 'the loss of the model is no finite number before training; check the data and the loss'); // prettier-ignore
    this.state.bestLoss = loss;
    return loss;
  }

  private async pass(number: number): Promise<number> {
    const { data, settings, signal } = this.parts;
    const gradients = new Gradients(settings.accumulate);
    let sum = 0;
    let batches = 0;
    for await (const drawn of data.pass(number)) {
      throwIfAborted(signal);
      const { loss, gradients: found } = await this.batch(drawn, number, batches);
      if (!Number.isFinite(loss)) this.diverged(`the loss is ${loss}`);
      sum += loss;
      batches++;
      this.shown = this.shown === undefined ? loss : this.shown + shownShare * (loss - this.shown);
      if (gradients.add(found)) await this.step(gradients.take());
      this.tell(number);
      if (this.elapsed >= settings.timeLimit) break;
    }
    if (batches === 0) throw new PruneError('invalid-data', 'a pass over the data has no examples; give data that can be gone through again'); // prettier-ignore
    if (gradients.count > 0) await this.step(gradients.take());
    return sum / batches;
  }

  private async batch(drawn: Drawn, pass: number, index: number) {
    const { teacher, runner, augment, recipe } = this.parts;
    const seen = augment ? { batch: augment(drawn.batch, pass, index), positions: undefined } : drawn;
    const extras = { ...seen.batch.extras, ...(await teacher.values(seen)) };
    const { values } = this.state;
    const batch = { ...seen.batch, extras };
    this.gradientsAt = async (other) => (await runner.run(batch, copyValues(values), other)).gradients;
    return runner.run(batch, values, recipe?.forward?.(this.moment(`${pass}:${index}`)));
  }

  private async step(gradients: Values): Promise<void> {
    const { state } = this;
    const { parameters, optimizer, settings, recipe } = this.parts;
    const moment = this.moment('step');
    await recipe?.gradients?.(gradients, moment);
    const norm = clipGradients(gradients, settings.clipNorm);
    if (!Number.isFinite(norm)) this.diverged('a gradient is no finite number');
    const learningRate = this.learningRate();
    state.step++;
    for (const [name, gradient] of parameters.pull(gradients)) {
      const decay = parameters.decays(name) ? settings.weightDecay : 0;
      const leaf = state.leaves.get(name)!;
      optimizer.step(leaf, gradient, state.slots.get(name)!, { learningRate, decay, step: state.step });
    }
    parameters.push();
    recipe?.project?.(moment);
    this.average?.add(state.values, state.step);
  }

  private moment(key: string): Moment {
    const { values, step } = this.state;
    const random = randomGenerator(`${this.parts.settings.seed}:recipe:${step}:${key}`);
    return { values, step, steps: this.steps, random, gradientsAt: this.gradientsAt };
  }

  private learningRate(): number {
    const { learningRate, schedule, warmUp } = this.parts.settings;
    return learningRate * rateAt(schedule, this.share, warmUp);
  }

  private async judge(loss: number): Promise<void> {
    const { state } = this;
    const candidate = this.average?.values ?? state.values;
    const heldOut = await this.parts.heldOut.loss(candidate);
    const pass: PassOutcome = { pass: state.passes.length + 1, loss, heldOut };
    state.passes.push(pass);
    if (!this.parts.recipe && !(heldOut < state.bestLoss)) return;
    state.bestLoss = heldOut;
    state.bestPass = pass.pass;
    state.best = copyValues(candidate);
  }

  private tell(pass: number): void {
    const { share, elapsed } = this;
    const secondsLeft = share > 0.005 ? (elapsed / 1000) * (1 / share - 1) : undefined;
    const { step } = this.state;
    this.parts.onProgress?.({ share, pass: pass + 1, step, loss: this.shown!, learningRate: this.learningRate(), secondsLeft }); // prettier-ignore
  }

  private diverged(what: string): never {
    const rate = this.learningRate().toPrecision(2);
    throw new DivergedError(
      'diverged',
      `training diverged: ${what} at step ${this.state.step + 1} (learning rate ${rate}); lower the learning rate, or clip gradients`,
    );
  }
}

/** Gradients of several batches, averaged. */
class Gradients {
  count = 0;
  private sums = new Map<string, Float32Array>();

  constructor(private readonly wanted: number) {}

  /** @returns whether there are enough for a step */
  add(gradients: ReadonlyMap<string, Float32Array>): boolean {
    if (this.count === 0) this.sums = new Map(gradients);
    else
      for (const [name, gradient] of gradients) {
        const sum = this.sums.get(name)!;
        for (let i = 0; i < sum.length; i++) sum[i]! += gradient[i]!;
      }
    return ++this.count >= this.wanted;
  }

  take(): ReadonlyMap<string, Float32Array> {
    const { sums, count } = this;
    if (count > 1) for (const sum of sums.values()) for (let i = 0; i < sum.length; i++) sum[i]! /= count;
    this.count = 0;
    return sums;
  }
}
