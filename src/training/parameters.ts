import type { Trainable } from './student.js';
import type { Values } from './values.js';

/** What the optimizer moves, and what follows from it. */
export interface Parameters {
  /** Arrays that the optimizer changes in place, by name. */
  readonly leaves: Values;
  /** Whether a leaf is a weight, which decays. */
  readonly decays: (leaf: string) => boolean;
  /** Gradients by the leaves from those by the weights; leaves without one are missing. */
  pull(gradients: Values): Values;
  /** Brings the weights up to date with the leaves. */
  push(): void;
}

/** Every weight is a leaf itself. */
export function directParameters(trainable: readonly Trainable[], values: Values): Parameters {
  const decaying = new Set(trainable.filter(({ kind }) => kind === 'weight').map(({ name }) => name));
  return {
    leaves: new Map(trainable.map(({ name }) => [name, values.get(name)!])),
    decays: (leaf) => decaying.has(leaf),
    pull: (gradients) => gradients,
    push: () => undefined,
  };
}
