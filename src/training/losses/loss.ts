import type { LossContext, Loss as GraphLoss } from '../../gradients/losses.js';

/**
 * A part of what training minimises: the mean over examples of a distance to the teacher, to labels, or a penalty. Parts
 * add up. It is a loss of the student's graph that may read values of the teacher's.
 */
export interface TrainingLoss extends GraphLoss {
  /** Values of the teacher that it reads, by their names in the teacher. */
  readonly teacher: readonly string[];
  /** Whether it reads labels. */
  readonly labels: boolean;
}

/** A part and what it counts. */
export interface WeightedLoss {
  readonly loss: TrainingLoss;
  readonly weight: number;
}

/** Key among a batch's extras of a value of the teacher. */
export function teacherKey(name: string): string {
  return `teacher/${name}`;
}

/** A value of the teacher as a value of the step's graph. */
export function teacherValue(context: LossContext, name: string, shape: readonly number[]): string {
  return context.feed({ extra: teacherKey(name) }, 'float32', shape);
}
