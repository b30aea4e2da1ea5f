/** What one step of an optimizer is taken with. */
export interface StepSettings {
  readonly learningRate: number;
  /** Weight decay of this parameter; 0 for those that don't decay. */
  readonly decay: number;
  /** Number of the step, from 1. */
  readonly step: number;
}

/**
 * A rule that moves one parameter by its gradient, in place. It keeps `slots` arrays of the parameter's size from step to
 * step, zeros before the first. Numbers are float32, arithmetic is that of JavaScript (float64).
 */
export interface Optimizer {
  readonly name: string;
  /** Arrays kept for each parameter. */
  readonly slots: number;
  step(
    values: Float32Array,
    gradient: Float32Array,
    slots: readonly Float32Array[],
    settings: StepSettings,
  ): void;
}
