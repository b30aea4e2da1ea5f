import { NoRelation, ruleFor, type AxisRules } from '../rule.js';

export const pooling: AxisRules = ruleFor(
  'MaxPool AveragePool LpPool GlobalAveragePool GlobalMaxPool GlobalLpPool',
  (op) => {
    if (op.outputCount > 1) throw new NoRelation('its indices count positions over all channels');
    return { notation: 'n c #… -> n c #…', why: 'spatial positions are shared by a pooling window' };
  },
);
