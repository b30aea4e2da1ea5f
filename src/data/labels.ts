import { PruneError } from '../errors.js';
import type { BatchTensor } from './batch.js';

/** Class indices as Int32Array: whole numbers from 0, one an example. */
export function toLabels(values: ArrayLike<number | bigint>, file: string): Int32Array {
  const labels = new Int32Array(values.length);
  for (let i = 0; i < labels.length; i++) {
    const label = Number(values[i]);
    if (!Number.isInteger(label) || label < 0 || label > 2 ** 31 - 1) {
      throw new PruneError(
        'invalid-data',
        `label ${i} of '${file}' is ${String(values[i])}; give class indices from 0`,
      );
    }
    labels[i] = label;
  }
  return labels;
}

/** Whether an array can be one class index an example: [n] or [n, 1] of whole numbers. */
export function labelsOfTensor({ dims, data }: BatchTensor, file: string): Int32Array {
  if (dims.length === 0 || dims.slice(1).some((dim) => dim !== 1)) {
    throw new PruneError(
      'invalid-data',
      `'${file}' has shape [${dims.join(', ')}]; give labels of shape [n]`,
    );
  }
  return toLabels(data, file);
}

/** Labels as text: one class index a line. */
export function parseLabelText(text: string, file: string): Int32Array {
  const words = text.split(/[\s,]+/).filter(Boolean);
  const bad = words.find((word) => !/^\d+$/.test(word));
  if (bad !== undefined) {
    throw new PruneError(
      'invalid-data',
      `'${file}' has '${bad.slice(0, 20)}' among its labels; give one class index a line`,
    );
  }
  return toLabels(words.map(Number), file);
}

export function checkLabelCount(labels: Int32Array, count: number, file: string): void {
  if (labels.length !== count) {
    throw new PruneError(
      'invalid-data',
      `'${file}' has ${labels.length} labels for ${count} examples; give one an example`,
    );
  }
}
