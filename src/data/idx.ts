import { PruneError } from '../errors.js';
import type { BatchTensor } from './batch.js';
import { gunzip, isGzip } from './compression.js';
import { bytesPerElement, swapBytes, viewElements, type ElementType } from './elements.js';

const elementTypes = new Map<number, ElementType>([
  [0x08, 'uint8'],
  [0x09, 'int8'],
  [0x0b, 'int16'],
  [0x0c, 'int32'],
  [0x0d, 'float32'],
  [0x0e, 'float64'],
]);

/** Whether (unpacked) bytes begin as an IDX file does. */
export function isIdx(bytes: Uint8Array): boolean {
  return (
    bytes.length >= 4 && bytes[0] === 0 && bytes[1] === 0 && elementTypes.has(bytes[2]!) && bytes[3]! > 0
  );
}

/**
 * Reads an IDX file, the format of MNIST and its successors, gzipped or not: two zero bytes, a type byte, the rank,
 * big-endian sizes, big-endian elements.
 * @throws PruneError `invalid-data` naming `file`.
 */
export function parseIdx(bytes: Uint8Array, file: string, unpackLimit?: number): BatchTensor {
  const plain = isGzip(bytes) ? gunzip(bytes, file, unpackLimit) : bytes;
  if (!isIdx(plain)) throw new PruneError('invalid-data', `'${file}' is not an IDX file; check the path`);
  const dtype = elementTypes.get(plain[2]!)!;
  const rank = plain[3]!;
  const start = 4 + 4 * rank;
  const truncated = () => new PruneError('invalid-data', `'${file}' is truncated; download it again`);
  if (plain.length < start) throw truncated();
  const view = new DataView(plain.buffer, plain.byteOffset, plain.byteLength);
  const dims = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const size = bytesPerElement(dtype);
  const byteLength = dims.reduce((product, dim) => product * dim, size);
  if (byteLength > plain.length - start) throw truncated();
  if (byteLength < plain.length - start) {
    throw new PruneError('invalid-data', `'${file}' has bytes after its last element; download it again`);
  }
  let body = plain.subarray(start);
  if (size > 1) {
    body = body.slice();
    swapBytes(body, size);
  }
  return { dtype, dims, data: viewElements(dtype, body) };
}

/** Where labels lie by the naming convention: `t10k-images-idx3-ubyte.gz` has `t10k-labels-idx1-ubyte.gz`. */
export function idxLabelsName(imagesName: string): string | undefined {
  const labels = imagesName.replace(/images([-._])idx\d/, 'labels$1idx1');
  return labels === imagesName ? undefined : labels;
}
