import { product } from '../../gradients/rule.js';
import { total, weightsFor } from '../../gradients/losses.js';
import { teacherValue, type TrainingLoss } from './loss.js';

export interface MseOptions {
  /** Name of an output or an inner value. */
  readonly value: string;
  /** Axis of the channels. */
  readonly axis: number;
  /** Variance of the teacher's value, by channel: errors count relative to it. */
  readonly variances: Float32Array;
}

/** Variances below this share of the mean one count as that, or channels that hardly vary would outweigh all others. */
const leastShare = 0.01;

/**
 * Σ (s − t)² / Var(t), the mean over examples, positions and channels; Var(t) is that of the channel in the teacher. 1 is
 * the error of a student that knows only the means.
 */
export function mse({ value: name, axis, variances }: MseOptions): TrainingLoss {
  const mean = variances.reduce((a, b) => a + b, 0) / variances.length;
  const scales = variances.map((variance) => 1 / Math.max(variance, leastShare * mean, 1e-12));
  return {
    name: `mse of ${name}`,
    teacher: [name],
    labels: false,
    emit: (context) => {
      const { emit: e } = context;
      const { shape } = context.value(name);
      const difference = e.sub(name, teacherValue(context, name, shape));
      const perExample = product(shape) / (shape[0] ?? 1);
      const channels = e.floats(scales, shape.map((_, i) => (i === axis ? scales.length : 1))); // prettier-ignore
      const weights = e.mul(channels, e.scale(weightsFor(context, shape), 1 / perExample));
      const weighted = e.mul(difference, weights);
      return {
        value: total(e, e.mul(weighted, difference)),
        cotangents: new Map([[name, e.scale(weighted, 2)]]),
      };
    },
  };
}
