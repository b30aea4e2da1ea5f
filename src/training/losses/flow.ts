import { product } from '../../gradients/rule.js';
import type { LossContext } from '../../gradients/losses.js';
import { total, weightsFor } from '../../gradients/losses.js';
import type { TrainingLoss } from './loss.js';

export interface FlowOptions {
  /** Values of one shape, in the order in which they are computed: ends of successive blocks. */
  readonly values: readonly string[];
  /** k₁, of the length of the flow. Default 1. */
  readonly length?: number | undefined;
  /** k₂, of its curvature. Default 1. */
  readonly curvature?: number | undefined;
}

/**
 * Feature flow regularisation (Wu et al., "Feature Flow Regularization: Improving Structured Sparsity in Deep Neural
 * Networks", 2021): k₁ Σ ‖F_{l+1} − F_l‖₁ + k₂ Σ ‖F_{l+2} − 2F_{l+1} + F_l‖₁, norms as means over elements. Features that
 * change little and evenly from block to block leave channels that carry nothing.
 */
export function flow({ values, length = 1, curvature = 1 }: FlowOptions): TrainingLoss {
  return {
    name: `flow over ${values.length} values`,
    teacher: [],
    labels: false,
    emit: (context) => {
      const e = context.emit;
      const parts: string[] = [];
      const byValue = new Map<string, string[]>();
      const add = (terms: readonly (readonly [value: string, factor: number])[], k: number): void => {
        const { value, cotangent } = absolute(context, terms, k);
        parts.push(value);
        for (const [name, factor] of terms)
          byValue.set(name, [...(byValue.get(name) ?? []), e.scale(cotangent, factor)]);
      };
      for (let i = 0; i + 1 < values.length; i++) add([[values[i + 1]!, 1], [values[i]!, -1]], length); // prettier-ignore
      for (let i = 0; i + 2 < values.length; i++)
        add([[values[i + 2]!, 1], [values[i + 1]!, -2], [values[i]!, 1]], curvature); // prettier-ignore
      return {
        value: e.total(parts),
        cotangents: new Map([...byValue].map(([name, terms]) => [name, e.total(terms)])),
      };
    },
  };
}

/** k · mean |Σ factor · value|, and its cotangent by the sum. */
function absolute(
  context: LossContext,
  terms: readonly (readonly [value: string, factor: number])[],
  k: number,
): { readonly value: string; readonly cotangent: string } {
  const e = context.emit;
  const { shape } = context.value(terms[0]![0]);
  const sum = e.total(terms.map(([value, factor]) => e.scale(value, factor))); // prettier-ignore
  const weights = e.scale(weightsFor(context, shape), (k * (shape[0] ?? 1)) / product(shape));
  return {
    value: total(e, e.mul(weights, e.unary('abs', sum))),
    cotangent: e.mul(weights, e.unary('sign', sum)),
  };
}
