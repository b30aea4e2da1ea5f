import type { Loss } from '../../gradients/losses.js';
import type { WeightedLoss } from './loss.js';

/** The weighted sum of several losses as one. */
export function sumLosses(parts: readonly WeightedLoss[]): Loss {
  return {
    name: parts.map(({ loss, weight }) => (weight === 1 ? loss.name : `${weight} ${loss.name}`)).join(' + '),
    emit: (context) => {
      const { emit: e } = context;
      const values: string[] = [];
      const byValue = new Map<string, string[]>();
      for (const { loss, weight } of parts) {
        const { value, cotangents } = loss.emit(context);
        values.push(e.scale(value, weight));
        for (const [name, cotangent] of cotangents) {
          const found = byValue.get(name) ?? [];
          byValue.set(name, [...found, e.scale(cotangent, weight)]);
        }
      }
      const sum = (terms: readonly string[]): string => (terms.length === 1 ? terms[0]! : e.total(terms));
      return {
        value: sum(values),
        cotangents: new Map([...byValue].map(([name, terms]) => [name, sum(terms)])),
      };
    },
  };
}
