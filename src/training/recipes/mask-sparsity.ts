import { eachElement } from './channels.js';
import type { RecipeMaker } from './recipe.js';

export interface MaskSparsityOptions {
  /** λ, of the l1 norm. Default 5e-4, as in the paper's ResNet experiments. */
  readonly strength?: number | undefined;
}

/**
 * MaskSparsity (Jiang et al., "Pruning-aware Sparse Regularization for Network Pruning", 2022): the mask is known before
 * training, and λ Σ |γ_c| weighs on the masked channels alone: on the scales of normalisation, or where a group has none
 * on the weights that make the channel. Kept channels feel nothing of it.
 */
export function maskSparsity({ strength = 5e-4 }: MaskSparsityOptions = {}): RecipeMaker {
  return ({ groups, chosen }) => ({
    gradients(gradients, { values }) {
      for (const { group, axes } of groups) {
        const keep = chosen.get(group);
        if (!keep) continue;
        const scales = axes.filter(({ role }) => role === 'scale');
        for (const axis of scales.length > 0 ? scales : axes.filter(({ role }) => role === 'produce')) {
          const [gradient, own] = [gradients.get(axis.name), values.get(axis.name)!];
          if (!gradient) continue;
          eachElement(axis, own.length, (i, channel) => {
            if (keep[channel] === 0) gradient[i]! += strength * Math.sign(own[i]!);
          });
        }
      }
    },
    finish: () => Promise.resolve(chosen),
  });
}
