import { channelNorms, eachElement } from './channels.js';
import type { RecipeMaker } from './recipe.js';

export interface GroupLassoOptions {
  /** λ. Default 1e-4. */
  readonly strength?: number | undefined;
}

/**
 * Group lasso (Yuan and Lin, "Model selection and estimation in regression with grouped variables", 2006; on channels Wen
 * et al., "Learning Structured Sparsity in Deep Neural Networks", 2016): λ Σ_g √|g| ‖w_g‖₂ over all channels g of all
 * groups, whose gradient is λ √|g| w / ‖w_g‖₂. In the end the channels with the smallest norms per element go.
 */
export function groupLasso({ strength = 1e-4 }: GroupLassoOptions = {}): RecipeMaker {
  return ({ groups, choose }) => {
    const sizes = new Map(
      groups.map((own) => {
        const counts = new Float64Array(own.size);
        return [own, counts] as const;
      }),
    );
    return {
      gradients(gradients, { values }) {
        for (const own of groups) {
          const norms = channelNorms(own, values);
          const counts = sizes.get(own)!;
          if (counts[0] === 0)
            for (const axis of own.axes)
              eachElement(axis, values.get(axis.name)!.length, (_, channel) => counts[channel]!++);
          for (const axis of own.axes) {
            const [gradient, weights] = [gradients.get(axis.name), values.get(axis.name)!];
            if (!gradient) continue;
            eachElement(axis, weights.length, (i, channel) => {
              const norm = norms[channel]!;
              if (norm > 0) gradient[i]! += (strength * Math.sqrt(counts[channel]!) * weights[i]!) / norm;
            });
          }
        }
      },
      finish: (values) => choose(new Map(groups.map((own) => [own.group, channelNorms(own, values)])), 1),
    };
  };
}
