import picomatch from 'picomatch';
import { nodeLabel } from '../onnx/names.js';
import { PruneError } from '../errors.js';
import type { Grouping, PruningGroup } from '../groups/group.js';

/** Tells whether a name matches any of the globs; `*` also crosses `/`, and a name matches itself whatever it holds. */
export type NameFilter = (name: string) => boolean;

export function nameFilter(globs: readonly string[]): NameFilter {
  const matchers = globs.map((glob) => picomatch(glob, { bash: true, dot: true, nonegate: true }));
  const exact = new Set(globs);
  return (name) => exact.has(name) || matchers.some((matches) => matches(name));
}

/** The names a user can point at a group by: those of its members' nodes and tensors. */
export function memberNames({ analysis }: Grouping, group: PruningGroup): Set<string> {
  const { nodes } = analysis.model.graph;
  const names = new Set<string>();
  for (const { parameter } of group.members) {
    names.add(nodeLabel(nodes[parameter.node]!, parameter.node));
    names.add(parameter.source.name);
  }
  return names;
}

/**
 * Refuses globs that no node or tensor of the model matches: most likely a typing error, and pruning the wrong
 * layers would pass unnoticed.
 * @throws PruneError `invalid-option`
 */
export function checkGlobs(grouping: Grouping, option: string, globs: readonly string[]): void {
  if (globs.length === 0) return;
  const { nodes } = grouping.analysis.model.graph;
  const names = new Set<string>(nodes.map(nodeLabel));
  for (const { source } of grouping.analysis.parameters) names.add(source.name);
  for (const group of grouping.groups) names.add(group.id).add(group.name);
  for (const glob of globs) {
    const matches = nameFilter([glob]);
    if (![...names].some(matches))
      throw new PruneError(
        'invalid-option',
        `${option} '${glob}' matches no node or tensor; list the names with 'prune inspect'`,
      );
  }
}
