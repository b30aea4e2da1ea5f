import { losses } from '../../gradients/losses.js';
import type { TrainingLoss } from './loss.js';

export interface LabelsOptions {
  /** Name of the output with logits. */
  readonly output: string;
}

/** Cross-entropy with the labels of the data; for outputs of rank 3 and more with its `target` per position. */
export function labels({ output }: LabelsOptions): TrainingLoss {
  return { ...losses['cross-entropy']({ output }), name: `labels by ${output}`, teacher: [], labels: true };
}
