import { opsetOf } from '../onnx/domain.js';
import type { Model } from '../onnx/model.js';
import { closeIf, isOpenable, openIf, type OpenIf } from '../canonical/branches.js';
import { copyFillers } from '../canonical/fillers.js';
import { openBranches, type OpenContext } from '../canonical/open.js';

/** A model in the form that is analysed and pruned, and the ways there and back. */
export interface CanonicalForm {
  readonly model: Model;
  /** The unfolded model, or one that was made of it, as a file holds it. */
  readonly restore: (model: Model) => Model;
  /** What `fold` gave, with the same bodies opened again. */
  readonly canonicalize: (model: Model) => Model;
  /** Whether bodies of nodes were opened: then the folded model computes less than the unfolded one. */
  readonly hasBodies: boolean;
}

/** Whether `unfold` needs shapes. */
export function hasBranches({ graph, ...model }: Model): boolean {
  const opset = opsetOf({ ...model, graph });
  return graph.nodes.some((node) => isOpenable(node, opset));
}

/** Takes apart what axes can't be followed through, or what ties layers for no reason. */
export async function canonicalize(given: Model, context: OpenContext | undefined): Promise<CanonicalForm> {
  const opened = context ? await openBranches(given, context) : { model: given, ifs: [] };
  const { model, merge } = copyFillers(opened.model);
  // Inner Ifs were opened after those around them.
  const close = (whole: Model): Model => opened.ifs.reduceRight(closeIf, whole);
  return {
    model,
    restore: (other) => close(merge(other)),
    canonicalize: (other) => opened.ifs.reduce(reopen, other),
    hasBodies: opened.ifs.length > 0,
  };
}

/** Opens the If of the same outputs, if the model has it. */
function reopen(model: Model, { node, opening }: OpenIf): Model {
  const opset = opsetOf(model);
  const same = model.graph.nodes.find(
    (other) => other.outputs[0] === node.outputs[0] && isOpenable(other, opset),
  );
  return same ? openIf(model, same, opening).model : model;
}
