/** The built-in criteria; from `taylor` on they are measured on data. */
export const criterionNames = [
  'magnitude',
  'l1',
  'l2',
  'bn-scale',
  'lamp',
  'fpgm',
  'random',
  'taylor',
  'taylor-abs',
  'taylor-weight',
  'snip',
  'fisher',
  'grasp',
  'crop',
  'flap',
  'activation',
  'obspa',
] as const;

export type CriterionName = (typeof criterionNames)[number];
