import { PruneError } from '../errors.js';
import { activation } from './activation.js';
import type { Criterion, CriterionContext, CriterionResult } from './criterion.js';
import { crop, grasp } from './curvature.js';
import { flap } from './flap.js';
import { fpgm } from './fpgm.js';
import { bnScale, defaultMagnitude, l1, l2, lamp } from './magnitude.js';
import type { CriterionName } from './names.js';
import { obspa } from './obspa.js';
import { random } from './random.js';
import { fisher, snip, taylor, taylorAbs, taylorWeight } from './taylor.js';

/** The built-in criteria by name. */
export const criteria = {
  magnitude: defaultMagnitude,
  l1,
  l2,
  'bn-scale': bnScale,
  lamp,
  fpgm,
  random,
  taylor,
  'taylor-abs': taylorAbs,
  'taylor-weight': taylorWeight,
  snip,
  fisher,
  grasp,
  crop,
  flap,
  activation,
  obspa,
} as const satisfies Readonly<Record<CriterionName, Criterion>>;

/** A criterion of one's own in its shortest form: it may read weights and the seed. */
export type CriterionFunction = (context: CriterionContext<'weights' | 'seed'>) => CriterionResult;

/** Wherever a criterion is accepted: a name, a function or an object. */
export type CriterionSpec = CriterionName | CriterionFunction | Criterion;

/** @throws PruneError `invalid-option` for an unknown name, listing the names. */
export function resolveCriterion(spec: CriterionSpec): Criterion {
  if (typeof spec === 'function')
    return { name: spec.name || 'custom', needs: ['weights', 'seed'], score: (context) => spec(context) };
  if (typeof spec === 'object') return spec;
  if (Object.hasOwn(criteria, spec)) return criteria[spec];
  throw new PruneError(
    'invalid-option',
    `unknown criterion: ${String(spec)}; use one of ${Object.keys(criteria).join(', ')}`,
  );
}
