import { classAxis, positionsOf, total, weightsFor } from '../../gradients/losses.js';
import { teacherValue, type TrainingLoss } from './loss.js';

export interface KlOptions {
  /** Name of the output with scores of classes. */
  readonly output: string;
  /** Axis of the classes. Default: 1; of outputs of rank 3 the last. */
  readonly axis?: number | undefined;
  /** T, which softens both distributions. Default 4. */
  readonly temperature?: number | undefined;
  /** Whether the output holds probabilities, not logits: their logarithms are logits too. Default false. */
  readonly probabilities?: boolean | undefined;
}

/** Probabilities below this count as this: their logarithm must stay finite. */
const floor = 1e-7;

/**
 * T² · KL(softmax(t / T) ‖ softmax(s / T)) of the teacher's logits t and the student's s (Hinton et al., "Distilling the
 * Knowledge in a Neural Network", 2015); the mean over examples and positions. T² keeps gradients of one size for all T.
 */
export function kl({
  output: name,
  axis: given,
  temperature = 4,
  probabilities = false,
}: KlOptions): TrainingLoss {
  return {
    name: `kl of ${name}`,
    teacher: [name],
    labels: false,
    emit: (context) => {
      const { emit: e } = context;
      const output = context.value(name);
      const axis = classAxis(output, given === undefined ? {} : { axis: given });
      const target = teacherValue(context, name, output.shape);
      const clipped = (value: string): string => e.max(value, e.scalar(floor));
      const logits = (value: string): string => (probabilities ? e.unary('log', clipped(value)) : value);
      const log = (value: string): string => e.logSoftmax(e.scale(logits(value), 1 / temperature), axis);
      const [ours, theirs] = [log(name), log(target)];
      const p = e.exp(theirs);
      const weights = e.scale(weightsFor(context, output.shape), 1 / positionsOf(output, axis));
      const divergence = total(e, e.mul(weights, e.mul(p, e.sub(theirs, ours))));
      const g = e.mul(e.scale(weights, temperature), e.sub(e.exp(ours), p));
      // Below the floor the logarithm is constant.
      const above = (): string => e.indicator(e.greater(name, e.scalar(floor)));
      const cotangent = probabilities ? e.mul(e.div(g, clipped(name)), above()) : g;
      return { value: e.scale(divergence, temperature ** 2), cotangents: new Map([[name, cotangent]]) };
    },
  };
}
