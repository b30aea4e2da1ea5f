import { PruneError } from '../errors.js';
import type { BatchTensor } from './batch.js';

const pixels = 3 * 32 * 32;

/** Label bytes of a record: CIFAR-10 has one, CIFAR-100 a coarse and a fine one. */
const labelBytes = { cifar10: 1, cifar100: 2 } as const;

export type CifarFormat = keyof typeof labelBytes;

/** Which CIFAR binary format a file of this length can be. */
export function cifarFormat(byteLength: number): CifarFormat | undefined {
  if (byteLength === 0) return undefined;
  if (byteLength % (pixels + 1) === 0) return 'cifar10';
  return byteLength % (pixels + 2) === 0 ? 'cifar100' : undefined;
}

/**
 * Reads CIFAR-10 or CIFAR-100 binary records: label byte(s), then 3,072 bytes of planar RGB, 32 × 32.
 * CIFAR-100 has two labels, of which the fine one is taken.
 * @throws PruneError `invalid-data` naming `file`.
 */
export function parseCifar(
  bytes: Uint8Array,
  file: string,
  format = cifarFormat(bytes.length),
): { readonly images: BatchTensor; readonly labels: Int32Array } {
  const record = format ? pixels + labelBytes[format] : 0;
  if (!format || bytes.length === 0 || bytes.length % record !== 0) {
    throw new PruneError(
      'invalid-data',
      `'${file}' is not whole CIFAR records of 3,073 or 3,074 bytes; download it again`,
    );
  }
  const count = bytes.length / record;
  const classes = format === 'cifar10' ? 10 : 100;
  const labels = new Int32Array(count);
  const data = new Uint8Array(count * pixels);
  for (let example = 0; example < count; example++) {
    const start = (example + 1) * record - pixels;
    const label = bytes[start - 1]!;
    if (label >= classes) {
      const where = `'${file}' has label ${label} in record ${example}`;
      throw new PruneError(
        'invalid-data',
        `${where}, beyond ${classes} classes; give a ${format} binary file`,
      );
    }
    labels[example] = label;
    data.set(bytes.subarray(start, start + pixels), example * pixels);
  }
  return { images: { dtype: 'uint8', dims: [count, 3, 32, 32], data }, labels };
}
