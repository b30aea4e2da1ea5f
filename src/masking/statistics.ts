import { PruneError } from '../errors.js';
import { qualifiedName } from '../ops/index.js';
import type { ModelEdit } from '../edit/model-edit.js';
import { maskedForms } from './rules/index.js';
import { StatisticsBuilder, type StatisticsNode } from './statistics-builder.js';

/**
 * Makes a node take its statistics over the kept indices only.
 * @throws PruneError `unsupported` for an op that has no masked form here.
 */
export function maskStatistics(edit: ModelEdit, index: number, statistics: StatisticsNode): void {
  const { node } = statistics;
  const form = maskedForms.get(qualifiedName(node));
  if (!form)
    throw new PruneError(
      'unsupported',
      `statistics of ${node.opType} can't be masked for the proof; leave its groups out or pass --no-verify`,
    );
  const build = new StatisticsBuilder(edit.names, statistics);
  const { input, outputs } = form(build);
  for (const tensor of build.initializers) edit.addTensor(tensor);
  edit.insertBefore(index, build.nodes);
  if (input !== undefined) edit.setInput(index, 0, input);
  else if (outputs) edit.setNode(index, { ...node, name: '', outputs });
  else edit.removeNode(index);
}
