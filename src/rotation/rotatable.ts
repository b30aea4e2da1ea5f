import type { AxisCoupling } from '../axes/couple.js';
import { coordinates } from '../axes/project.js';
import type { PruningGroup } from '../groups/group.js';
import type { Pairing, Part, Space } from '../rotation/spaces.js';

/**
 * Whether everything that holds a group's channels is part of some space. A channel means the same everywhere: where
 * some of it could not follow, a basis of the rest would sort the channels by half the truth.
 */
export function isFullyRotatable(
  group: PruningGroup,
  spaces: readonly (Space | Pairing)[],
  { system, roles }: AxisCoupling,
): boolean {
  const writes = spaces.flatMap((space) =>
    space.kind === 'read' ? space.writes : [...space.left, ...space.right],
  );
  const reads = spaces.flatMap((space) => (space.kind === 'read' ? space.reads : []));
  const products = new Set(spaces.flatMap((space) => (space.kind === 'product' ? space.nodes : [])));
  const held = group.members.every(({ parameter, axis }) => {
    const { node, input, axes } = parameter;
    const count = coordinates(system, axes[axis]!, group.factor).reduce((n, c) => n + Number(c >= 0), 0);
    const covered = (parts: readonly Part[], side: 'inputAxis' | 'outputAxis'): number =>
      parts
        .filter(({ layer }) => layer.node === node && layer.weightInput === input && layer[side] === axis)
        .reduce((n, { positions }) => n + positions.length, 0);
    if (covered(writes, 'outputAxis') + covered(reads, 'inputAxis') === count) return true;
    return writes.some(
      ({ layer: { bias } }) => bias?.node === node && (bias.kind === 'mean' || bias.input === input),
    );
  });
  return (
    held &&
    roles.every(
      ({ role, betweenActivations, node, expression }) =>
        role !== 'contract' ||
        !betweenActivations ||
        products.has(node) ||
        !system.leaves(expression).includes(group.factor),
    )
  );
}
