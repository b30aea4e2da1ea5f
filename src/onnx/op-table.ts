import { PruneError } from '../errors.js';

/**
 * One table of rules by op type (`domain::Op` outside the default domain), assembled from family files.
 * @throws PruneError `internal` if two families hold a rule for one op.
 */
export function mergeFamilies<R>(
  kind: string,
  families: Readonly<Record<string, Readonly<Record<string, R>>>>,
): ReadonlyMap<string, R> {
  const all = new Map<string, R>();
  for (const family of Object.values(families))
    for (const [op, rule] of Object.entries(family)) {
      if (all.has(op)) throw new PruneError('internal', `two ${kind} rules for '${op}': keep one`);
      all.set(op, rule);
    }
  return all;
}
