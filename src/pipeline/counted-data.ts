import type { DataSource } from '../data/batch.js';
import type { Model } from '../onnx/model.js';
import type { Runtime } from '../runtime/runtime.js';
import { findPadding, withPadding } from '../statistics/padding.js';

/** The data with the steps that only pad sequences marked, where an input of the model masks them. */
export async function countedData(
  model: Model,
  { data, runtime }: { readonly data?: DataSource | undefined; readonly runtime: Runtime },
): Promise<DataSource | undefined> {
  if (!data) return undefined;
  const mask = await findPadding(model, data, runtime);
  return mask === undefined ? data : withPadding(data, mask);
}
