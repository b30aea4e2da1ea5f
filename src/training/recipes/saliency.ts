import type { Values } from '../values.js';
import { channelNorms, sumByChannel, type TrainedGroup } from './channels.js';
import type { ChannelScores } from './recipe.js';

/**
 * Saliency of channels as HESSO mixes it: the norm, the mean norm of an element, the cosine between weights and the
 * negative gradient, and the first- and second-order Taylor terms |g·w| and ½(g·w)², each divided by its l2 norm over all
 * channels, added up.
 */
export function hessoScores(
  groups: readonly TrainedGroup[],
  values: Values,
  gradients: Values,
): ChannelScores {
  const parts = groups.map((own) => {
    const norms = channelNorms(own, values);
    const counts = sumByChannel(own, values, values, () => 1);
    const lengths = sumByChannel(own, gradients, gradients, (g) => g * g).map(Math.sqrt);
    const products = sumByChannel(own, values, gradients, (w, g) => w * g);
    const first = products.map(Math.abs);
    return [
      norms,
      norms.map((norm, c) => norm / Math.sqrt(Math.max(1, counts[c]!))),
      // A channel that the gradient pulls towards zero counts less than one that it pulls away from it.
      products.map((product, c) => 1 - product / Math.max(norms[c]! * lengths[c]!, 1e-12)),
      first,
      products.map((product) => product ** 2 / 2),
    ];
  });
  const scores = groups.map(({ size }) => new Float64Array(size));
  for (let part = 0; part < 5; part++) {
    const squares = parts.reduce((sum, own) => sum + own[part]!.reduce((all, v) => all + v * v, 0), 0);
    const norm = Math.sqrt(squares) || 1;
    parts.forEach((own, g) => own[part]!.forEach((value, c) => (scores[g]![c]! += value / norm)));
  }
  return new Map(groups.map(({ group }, g) => [group, scores[g]!]));
}
