import type { Model } from '../onnx/model.js';
import { untieFills } from './filled.js';

/** A model in the form that is analysed and pruned, and the way back to the form of the file. */
export interface Unfolding {
  readonly model: Model;
  /** The unfolded model, or one that was made of it, as a file holds it. */
  readonly fold: (model: Model) => Model;
}

/** Takes apart what axes can't be followed through, or what ties layers for no reason. */
export function unfold(given: Model): Unfolding {
  const { model, merge } = untieFills(given);
  return { model, fold: merge };
}
