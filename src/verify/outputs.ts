import { nodeLabel } from '../onnx/names.js';
import { findConstants } from '../ops/constants.js';
import type { Model } from '../onnx/model.js';
import { usedNames } from '../shapes/literals.js';
import { writersOf } from './observation.js';
import type { OutputProof } from './report.js';
import type { Structure } from './structure.js';

/**
 * What a proof says of each output of the dense model: it was compared; or every node between it and compared values is
 * the same in both models.
 * @param isCompared whether a value was compared while it was alive
 * @param whyNot why another value was not
 */
export function proveOutputs(
  dense: Model,
  structure: Structure,
  isCompared: (value: string) => boolean,
  whyNot: (value: string) => string,
): OutputProof[] {
  const writers = writersOf(dense.graph);
  const constants = findConstants(dense.graph);
  const problems = new Map<string, string | undefined>();

  /** Why a value isn't known to be the same in both models; undefined if it is. */
  const problemOf = (value: string): string | undefined => {
    const stack = [value];
    for (let name = stack.at(-1); name !== undefined; name = stack.at(-1)) {
      if (!problems.has(name)) {
        const writer = isCompared(name) || constants.has(name) ? undefined : writers.get(name);
        const reads = writer ? usedNames(writer.node) : [];
        const open = reads.filter((read) => !problems.has(read));
        // A cycle would be no graph.
        if (open.length > 0) {
          stack.push(...open);
          continue;
        }
        const other = writer && structure.differenceAt(writer.index);
        const before = reads.map((read) => problems.get(read)).find((problem) => problem !== undefined);
        problems.set(
          name,
          other !== undefined
            ? `'${nodeLabel(writer!.node, writer!.index)}', which writes ${name === value ? 'it' : `'${name}'`}, is not the same node: ${other}`
            : before,
        );
      }
      stack.pop();
    }
    return problems.get(value);
  };

  return dense.graph.outputs.map(({ name }): OutputProof => {
    if (isCompared(name)) return { name, proof: 'compared', why: undefined };
    if (constants.has(name))
      return structure.isSameConstant(name)
        ? { name, proof: 'compared', why: undefined }
        : { name, proof: 'none', why: 'it is another constant' };
    const problem = problemOf(name);
    const why = whyNot(name);
    return problem === undefined
      ? { name, proof: 'inputs', why }
      : { name, proof: 'none', why: `${why}, and ${problem}` };
  });
}
