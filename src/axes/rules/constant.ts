import { letters, ruleFor, type AxisRules } from '../rule.js';

/** Values that don't depend on the elements of any input. */
export const constant: AxisRules = {
  // Every element is the same, so an axis is free to follow whatever it meets.
  ConstantOfShape: (op) => `_ -> ${letters(op.outputShape().length).join(' ')}`,
  ...ruleFor('Shape Size', { notation: '… -> #…', why: 'it holds sizes' }),
  Range: { notation: '_, _, _ -> #a', why: 'it counts positions' },
};
