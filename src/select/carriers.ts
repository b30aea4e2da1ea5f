import type { Factor } from '../axes/axis.js';
import type { CostModel } from '../cost/cost.js';
import type { Grouping, PruningGroup } from '../groups/group.js';
import type { AttentionOption } from './options.js';

/** Groups that lose channels, and for all others why they don't. */
export interface Carriers {
  /** In the order of the grouping. */
  readonly carriers: readonly PruningGroup[];
  /** Carriers nested in another carrier (heads and head dims): each takes 1 − √(1 − ratio). */
  readonly shared: ReadonlySet<PruningGroup>;
  readonly reasons: ReadonlyMap<PruningGroup, string>;
}

/** Groups nested in each other on some weight axis, and groups that fill a stretch of one by themselves. */
interface Nesting {
  readonly siblings: ReadonlyMap<Factor, ReadonlySet<Factor>>;
  readonly alone: ReadonlySet<Factor>;
}

/**
 * Decides which factor of a product axis carries the ratio: half of `g` and half of `ci` would remove three quarters.
 *
 * - Groups of a grouped convolution stay, its inner channels carry; but where the factor stands alone on an axis
 *   (depthwise) it carries.
 * - Attention: as the option says; with `both`, heads and head dims share the ratio.
 * - Else a factor that stands alone on some axis, as only it can prune that axis; then one that no statistics are
 *   taken over; then the largest; then the first.
 */
export function findCarriers(
  grouping: Grouping,
  cost: CostModel,
  eligible: readonly PruningGroup[],
  attention: AttentionOption,
): Carriers {
  const { siblings, alone } = findNesting(grouping, cost);
  const { byFactor } = grouping;
  const isEligible = new Set(eligible);
  const reasons = new Map<PruningGroup, string>();
  const siblingsOf = (group: PruningGroup): PruningGroup[] =>
    [...(siblings.get(group.factor) ?? [])].map((factor) => byFactor.get(factor)!);

  const candidates = eligible.filter((group) => {
    if (group.attention && attention !== 'both' && attention !== group.attention) {
      const what = group.attention === 'heads' ? 'attention heads stay' : 'attention head dims stay';
      reasons.set(group, `${what} with attention '${attention}'`);
      return false;
    }
    const inner = siblingsOf(group).some((sibling) => isEligible.has(sibling));
    if (group.grouped && !group.attention && inner && !alone.has(group.factor)) {
      reasons.set(group, 'groups of a grouped convolution stay, the channels inside them are pruned');
      return false;
    }
    return true;
  });

  const order = new Map(grouping.groups.map((group, i) => [group, i]));
  const standsAlone = ({ factor }: PruningGroup): number => Number(alone.has(factor));
  const isNormalized = ({ normalizedBy }: PruningGroup): number => Number(normalizedBy.length > 0);
  candidates.sort(
    (a, b) =>
      standsAlone(b) - standsAlone(a) ||
      isNormalized(a) - isNormalized(b) ||
      b.size - a.size ||
      order.get(a)! - order.get(b)!,
  );

  const chosen = new Set<PruningGroup>();
  const shared = new Set<PruningGroup>();
  for (const group of candidates) {
    const rivals = siblingsOf(group).filter((sibling) => chosen.has(sibling));
    const partners = rivals.filter((rival) => isPair(group, rival));
    const winner = rivals.find((rival) => !isPair(group, rival));
    if (winner) {
      reasons.set(group, `nested with '${winner.name}' (${winner.id}), which is pruned instead`);
      continue;
    }
    chosen.add(group);
    for (const partner of partners) shared.add(group).add(partner);
  }
  return { carriers: grouping.groups.filter((group) => chosen.has(group)), shared, reasons };
}

function isPair(a: PruningGroup, b: PruningGroup): boolean {
  return a.attention !== undefined && b.attention !== undefined && a.attention !== b.attention;
}

/** One monomial of an axis's extent is one stretch of it: its variables are nested in each other there. */
function findNesting({ groups }: Grouping, cost: CostModel): Nesting {
  const siblings = new Map<Factor, Set<Factor>>();
  const alone = new Set<Factor>();
  const seen = new Set<unknown>();
  for (const { members } of groups)
    for (const { parameter, axis } of members) {
      const expression = parameter.axes[axis]!;
      if (seen.has(expression)) continue;
      seen.add(expression);
      for (const { variables: leaves } of cost.extentOf(expression)) {
        const variables = leaves.map((leaf) => leaf.origin?.factor ?? leaf);
        if (variables.length === 1) alone.add(variables[0]!);
        for (const a of variables)
          for (const b of variables) {
            if (a === b) continue;
            const known = siblings.get(a);
            if (known) known.add(b);
            else siblings.set(a, new Set([b]));
          }
      }
    }
  return { siblings, alone };
}
