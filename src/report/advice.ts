import type { Blocker } from '../axes/axis.js';
import type { BlockerCost } from '../cost/coverage.js';
import { formatCount } from './numbers.js';

/** Where an axis is blocked and why, in one phrase: `Gather '/emb' input 0 axis 0: its rows are …`. */
export function describeBlocker({ node, op, axis, why }: Blocker): string {
  const where = node ? `${op} '${node}' ${axis}` : 'axes joined from parts';
  return `${where}: ${why}`;
}

/** What a user can do about a blocked axis; undefined where it is in the nature of the model. */
export function remedyFor({ node, op, axis, why }: Blocker): string | undefined {
  if (op.startsWith('graph ')) {
    const index = /\d+$/.exec(axis)?.[0] ?? 'AXIS';
    return `--allow-io '${node}:${index}' if whoever calls the model accepts another size`;
  }
  if (why.includes('laid it out for one processor')) return 'prune the model that it was made from';
  if (why.includes('with quantized numbers')) return 'prune the float model and quantize it afterwards';
  if (why.includes('no rule is known')) return `teach it: "axisRules": { "${op}": "… -> …" } in --config`;
  if (why.includes('unknown') || why.includes('depends on data') || why.includes('computed from data'))
    return 'give static input shapes with --shape NAME=…';
  if (why.includes('an axis of size 1 elsewhere'))
    return 'nothing to do, unless the model can be exported with these parts in one tensor from the start';
  if (why.includes('subgraph')) return 'export the model without If, Loop and Scan around this part';
  return undefined;
}

/** One line a reason: the parameters it holds back, the reason, the remedy. Alike nodes share a line. */
export function blockerLines(blockers: readonly BlockerCost[], limit: number): string[] {
  const merged = new Map<string, { first: Blocker; nodes: number; parameters: number }>();
  for (const { blocker, parameters } of blockers) {
    const isGraph = blocker.op.startsWith('graph ');
    const key = JSON.stringify([blocker.op, blocker.why, isGraph && [blocker.node, blocker.axis]]);
    const entry = merged.get(key);
    if (!entry) merged.set(key, { first: blocker, nodes: 1, parameters });
    else {
      entry.nodes++;
      entry.parameters += parameters;
    }
  }
  const sorted = [...merged.values()].sort((a, b) => b.parameters - a.parameters);
  const lines = sorted.slice(0, limit).map(({ first, nodes, parameters }) => {
    const remedy = remedyFor(first);
    const where = `${describeBlocker(first)}${nodes > 1 ? ` (and ${nodes - 1} more alike)` : ''}`;
    return `${formatCount(parameters)} in ${where}${remedy ? `; ${remedy}` : ''}`;
  });
  const rest = sorted.length - limit;
  return rest > 0 ? [...lines, `and ${rest} more; see prune inspect --json`] : lines;
}
