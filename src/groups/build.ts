import type { Axis, Factor } from '../axes/axis.js';
import type { AxisCoupling } from '../axes/couple.js';
import { nodeLabel } from '../onnx/names.js';
import type { Role } from '../axes/relation.js';
import type { RoleUse } from '../axes/roles.js';
import type { AxisSystem } from '../axes/system.js';
import type { Grouping, Member, PruningGroup } from './group.js';

/** Collects the free factors that have weights attached, in graph order. Linear in the number of axes. */
export function buildGroups(analysis: AxisCoupling): Grouping {
  const { system, parameters } = analysis;
  const traits = collectTraits(analysis);
  const roles = rolesByParameter(analysis);

  const members = new Map<Factor, Member[]>();
  parameters.forEach((parameter, index) => {
    const known = roles.get(index);
    parameter.axes.forEach((expression, axis) => {
      for (const factor of wholeFactors(system, expression)) {
        const uses = known?.get(factor);
        // A role on the very axis counts more than one seen where the parameter is rearranged.
        const role = (uses?.find((use) => use.axis === axis) ?? uses?.[0])?.role ?? 'pass';
        let list = members.get(factor);
        if (!list) members.set(factor, (list = []));
        list.push({ parameter, axis, role });
      }
    });
  });

  const groups = [...members].map(([factor, list], i): PruningGroup => {
    const named = list.find(({ role }) => role === 'produce') ?? list[0]!;
    return {
      id: `g${i}`,
      name: named.parameter.source.name,
      factor,
      size: factor.size,
      members: list,
      normalizedBy: [...(traits.normalizedBy.get(factor) ?? [])],
      attention: traits.heads.has(factor) ? 'heads' : traits.headDims.has(factor) ? 'head-dims' : undefined,
      grouped: traits.grouped.has(factor),
      pinned: pinnedChannels(system, factor),
    };
  });
  return { analysis, groups, byFactor: new Map(groups.map((group) => [group.factor, group])) };
}

/** The free factors of an axis, each once; for atoms the factors they came from. */
function wholeFactors(system: AxisSystem, axis: Axis): Set<Factor> {
  const found = new Set<Factor>();
  for (const leaf of system.leaves(axis)) if (!leaf.blocker) found.add(leaf.origin?.factor ?? leaf);
  return found;
}

/** Channels of a factor that was taken apart which can't go: their atoms are blocked or another factor's. */
function pinnedChannels(system: AxisSystem, factor: Factor): Uint8Array | undefined {
  if (!factor.link) return undefined;
  const pinned = new Uint8Array(factor.size).fill(1);
  for (const { blocker, origin } of system.leaves(factor))
    if (!blocker && origin?.factor === factor) pinned[origin.index] = 0;
  return pinned;
}

interface Traits {
  readonly normalizedBy: ReadonlyMap<Factor, ReadonlySet<string>>;
  readonly heads: ReadonlySet<Factor>;
  readonly headDims: ReadonlySet<Factor>;
  readonly grouped: ReadonlySet<Factor>;
}

function collectTraits({ model, system, roles }: AxisCoupling): Traits {
  const normalizedBy = new Map<Factor, Set<string>>();
  const heads = new Set<Factor>();
  const headDims = new Set<Factor>();
  const grouped = new Set<Factor>();
  for (const use of roles) {
    const target =
      use.role === 'batch'
        ? use.betweenActivations
          ? heads
          : grouped
        : use.betweenActivations
          ? headDims
          : undefined;
    if (!target && use.role !== 'normalize') continue;
    for (const factor of wholeFactors(system, use.expression)) {
      target?.add(factor);
      if (use.role !== 'normalize') continue;
      const label = nodeLabel(model.graph.nodes[use.node]!, use.node);
      const by = normalizedBy.get(factor);
      if (by) by.add(label);
      else normalizedBy.set(factor, new Set([label]));
    }
  }
  return { normalizedBy, heads, headDims, grouped };
}

interface FactorRole {
  /** The parameter's own axis, or undefined where the use sees it rearranged. */
  readonly axis: number | undefined;
  readonly role: Role;
}

function rolesByParameter({
  system,
  parameters,
  roles,
}: AxisCoupling): Map<number, Map<Factor, FactorRole[]>> {
  const byParameter = new Map<number, Map<Factor, FactorRole[]>>();
  for (const use of roles) {
    if (use.parameter === undefined) continue;
    const axis = isDirect(use, parameters[use.parameter]!) ? use.axis : undefined;
    let byFactor = byParameter.get(use.parameter);
    if (!byFactor) byParameter.set(use.parameter, (byFactor = new Map<Factor, FactorRole[]>()));
    for (const factor of wholeFactors(system, use.expression)) {
      const list = byFactor.get(factor);
      if (list) list.push({ axis, role: use.role });
      else byFactor.set(factor, [{ axis, role: use.role }]);
    }
  }
  return byParameter;
}

function isDirect(use: RoleUse, parameter: { readonly node: number; readonly input: number }): boolean {
  return use.node === parameter.node && use.input === parameter.input;
}
