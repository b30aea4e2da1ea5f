import { PruneError } from '../errors.js';
import { SlicedBytes } from './sliced-bytes.js';
import type { Tensor } from './tensor.js';
import { StoredData } from './tensor-data.js';
import { elementBytes } from './values.js';

/**
 * Keeps the given indices (ascending) of the given axes. Axes that aren't named stay whole, and the tensor itself is
 * returned if nothing is removed. Nothing is read or copied before the elements are asked for, and then each time.
 * @throws PruneError `unsupported` for element types of less than a byte and for strings.
 */
export function sliceTensor(tensor: Tensor, kept: ReadonlyMap<number, Int32Array>): Tensor {
  const { dims } = tensor;
  for (const [axis, indices] of kept) checkIndices(tensor, axis, indices);
  const cut = new Map([...kept].filter(([axis, indices]) => indices.length !== dims[axis]!));
  if (cut.size === 0) return tensor;
  const bytes = new SlicedBytes(tensor.data, dims, elementBytes(tensor.dtype), cut);
  const storage = tensor.data.storage === 'external' ? 'external' : 'raw';
  return { ...tensor, dims: bytes.dims, data: new StoredData(bytes, storage) };
}

function checkIndices(tensor: Tensor, axis: number, indices: Int32Array): void {
  const size = tensor.dims[axis];
  let previous = -1;
  const valid =
    size !== undefined &&
    indices.every((index) => {
      const ascending = index > previous && index < size;
      previous = index;
      return ascending;
    });
  if (!valid)
    throw new PruneError(
      'internal',
      `kept indices of axis ${axis} of tensor '${tensor.name}' [${tensor.dims.join(', ')}] are not ascending or out of range; report this`,
    );
}
