import { classAxis, positionsOf, total, weightsFor } from '../../gradients/losses.js';
import { teacherValue, type TrainingLoss } from './loss.js';

export interface CosineOptions {
  /** Name of an output with embeddings. */
  readonly output: string;
  /** Axis of the embedding. Default: 1; of outputs of rank 3 the last. */
  readonly axis?: number | undefined;
}

/** 1 − cos(s, t), the mean over examples and positions: for embeddings, of which only the direction is read. */
export function cosine({ output: name, axis: given }: CosineOptions): TrainingLoss {
  return {
    name: `cosine of ${name}`,
    teacher: [name],
    labels: false,
    emit: (context) => {
      const { emit: e } = context;
      const output = context.value(name);
      const axis = classAxis(output, given === undefined ? {} : { axis: given });
      const norm = (value: string): string => e.max(e.reduce('norm', value, [axis], true), e.scalar(1e-12));
      const target = teacherValue(context, name, output.shape);
      const length = norm(name);
      const [ours, theirs] = [e.div(name, length), e.div(target, norm(target))];
      const along = e.sum(e.mul(ours, theirs), [axis], true);
      const weights = e.scale(weightsFor(context, output.shape), 1 / positionsOf(output, axis));
      const rest = e.sub(theirs, e.mul(ours, along));
      return {
        value: total(e, e.mul(weights, e.sub(e.scalar(1), along))),
        cotangents: new Map([[name, e.neg(e.div(e.mul(weights, rest), length))]]),
      };
    },
  };
}
