import type { CostModel } from '../cost/cost.js';
import type { Grouping, PruningGroup } from '../groups/group.js';
import { findCarriers, type Carriers } from './carriers.js';
import { checkGlobs, memberNames, nameFilter } from './names.js';
import type { SelectSettings } from './options.js';

/**
 * The groups that may lose channels under the options, before anything is scored: score these and pass them on to
 * `select`. All others are listed with the reason.
 * @throws PruneError `invalid-option`
 */
export function prunableGroups(grouping: Grouping, cost: CostModel, options: SelectSettings): Carriers {
  checkGlobs(grouping, 'ignore', options.ignore);
  checkGlobs(grouping, 'only', options.only ?? []);
  const ignored = nameFilter(options.ignore);
  const included = options.only?.length ? nameFilter(options.only) : undefined;
  const reasons = new Map<PruningGroup, string>();
  const eligible = grouping.groups.filter((group) => {
    const names = [...memberNames(grouping, group)];
    const hit = names.find(ignored);
    if (hit !== undefined) reasons.set(group, `'${hit}' is ignored`);
    else if (included && !names.some(included)) reasons.set(group, `no member is in 'only'`);
    else if (group.normalizedBy.length > 0 && !options.residualStream)
      reasons.set(group, `'${group.normalizedBy[0]}' takes statistics over it (residual stream)`);
    return !reasons.has(group);
  });
  const found = findCarriers(grouping, cost, eligible, options.attention);
  return { ...found, reasons: new Map([...reasons, ...found.reasons]) };
}
