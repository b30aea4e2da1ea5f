/** The built-in losses, see `losses`. */
export const lossNames = ['cross-entropy', 'pseudo-labels', 'squared-norm', 'kl', 'mse', 'output'] as const;

export type LossName = (typeof lossNames)[number];
