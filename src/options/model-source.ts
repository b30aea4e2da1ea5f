import type { Model } from '../onnx/model.js';
import { made, text } from './values.js';
import * as v from 'valibot';

/** A model, the bytes of its file, or where the file is. */
export type ModelSource = Model | Uint8Array | string | URL;

export const modelSource = v.union([
  text,
  made<Exclude<ModelSource, string>>(() => true, 'give a model, the bytes of its file, or its path'),
]);
