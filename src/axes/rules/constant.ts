import { letters, NoRelation, type AxisRules } from '../rule.js';

/** Values that don't depend on the elements of any input. */
export const constant: AxisRules = {
  // Every element is the same, so an axis is free to follow whatever it meets.
  ConstantOfShape: (op) => `_ -> ${letters(op.outputShape().length).join(' ')}`,
  Shape: { notation: '… -> #…', why: 'it holds sizes' },
  // A product with an unknown size can't be put right when another of its sizes changes.
  Size: (op) => {
    if (op.shape(0).some(Number.isNaN))
      throw new NoRelation('it counts elements along an axis of unknown size');
    return { notation: '… -> #…', why: 'it holds sizes' };
  },
  Range: { notation: '_, _, _ -> #a', why: 'it counts positions' },
};
