import { PruneError } from '../../errors.js';
import { annealing } from './annealing.js';
import { gradual } from './gradual.js';
import { groupLasso } from './group-lasso.js';
import { hesso } from './hesso.js';
import { maskSparsity } from './mask-sparsity.js';
import type { RecipeMaker } from './recipe.js';

/** Ways to prune while training. */
export const recipes = {
  gradual,
  hesso,
  'hesso-cric': () => hesso({ cric: true }),
  'mask-sparsity': maskSparsity,
  annealing,
  'group-lasso': groupLasso,
} as const satisfies Readonly<Record<string, (options?: never) => RecipeMaker>>;

export type RecipeName = keyof typeof recipes;

/** A name, or a recipe of one's own. */
export type RecipeSpec = RecipeName | RecipeMaker;

/** @throws PruneError `invalid-option` for an unknown name */
export function resolveRecipe(spec: RecipeSpec): RecipeMaker {
  if (typeof spec === 'function') return spec;
  if (Object.hasOwn(recipes, spec)) return recipes[spec]();
  throw new PruneError('invalid-option', `unknown recipe: ${String(spec)}; use one of ${Object.keys(recipes).join(', ')}`); // prettier-ignore
}
