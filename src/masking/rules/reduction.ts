import type { MaskedForm, MaskedForms } from '../statistics-builder.js';

/** A maximum adds −∞ to what is removed, a minimum ∞. */
const extremum =
  (neutral: number): MaskedForm =>
  (build) => ({ input: build.add(build.node.inputs[0]!, build.removedAs(neutral, build.lost)) });

export const reduction: MaskedForms = {
  // The mean of x over n entries of which k are kept is the mean of x·m·n/k.
  ReduceMean: (build) => ({
    input: build.mul(build.node.inputs[0]!, build.weights(build.lost, build.dtype)),
  }),
  ReduceMax: extremum(-Infinity),
  ReduceMin: extremum(Infinity),
};
