/** Writes `.npy` files element by element through DataView, after NumPy's format description, for tests of the reader. */

export interface NpyFile {
  readonly dtype: keyof typeof types;
  readonly dims: readonly number[];
  /** In C order; float16 as bits. */
  readonly values: readonly (number | bigint)[];
  readonly bigEndian?: boolean;
  readonly fortran?: boolean;
  readonly version?: 1 | 2 | 3;
}

type Setter = (view: DataView, offset: number, value: number | bigint, little: boolean) => void;

const types = {
  bool: ['b1', 1, (v, o, x) => v.setUint8(o, Number(x))],
  int8: ['i1', 1, (v, o, x) => v.setInt8(o, Number(x))],
  uint8: ['u1', 1, (v, o, x) => v.setUint8(o, Number(x))],
  int16: ['i2', 2, (v, o, x, l) => v.setInt16(o, Number(x), l)],
  uint16: ['u2', 2, (v, o, x, l) => v.setUint16(o, Number(x), l)],
  int32: ['i4', 4, (v, o, x, l) => v.setInt32(o, Number(x), l)],
  uint32: ['u4', 4, (v, o, x, l) => v.setUint32(o, Number(x), l)],
  int64: ['i8', 8, (v, o, x, l) => v.setBigInt64(o, BigInt(x), l)],
  uint64: ['u8', 8, (v, o, x, l) => v.setBigUint64(o, BigInt(x), l)],
  float16: ['f2', 2, (v, o, x, l) => v.setUint16(o, Number(x), l)],
  float32: ['f4', 4, (v, o, x, l) => v.setFloat32(o, Number(x), l)],
  float64: ['f8', 8, (v, o, x, l) => v.setFloat64(o, Number(x), l)],
} satisfies Record<string, [string, number, Setter]>;

export const npyDtypes = Object.keys(types) as (keyof typeof types)[];

export function writeNpy({
  dtype,
  dims,
  values,
  bigEndian = false,
  fortran = false,
  version = 1,
}: NpyFile): Uint8Array {
  const [code, size, set] = types[dtype];
  const order = size === 1 ? '|' : bigEndian ? '>' : '<';
  const shape = dims.length === 1 ? `(${dims[0]},)` : `(${dims.join(', ')})`;
  return npyBytes(
    `{'descr': '${order}${code}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': ${shape}, }`,
    values.length * size,
    (view, start) => {
      values.forEach((value, position) => {
        const index = fortran ? fortranPosition(position, dims) : position;
        set(view, start + index * size, value, !bigEndian);
      });
    },
    version,
  );
}

/** A file with any header text, to be filled by `fill`. */
export function npyBytes(
  header: string,
  bodyLength: number,
  fill: (view: DataView, start: number) => void = () => {},
  version = 1,
): Uint8Array {
  const prefix = version === 1 ? 10 : 12;
  const padded = `${header}${' '.repeat(63 - ((prefix + header.length) % 64))}\n`;
  const bytes = new Uint8Array(prefix + padded.length + bodyLength);
  const view = new DataView(bytes.buffer);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0]);
  if (version === 1) view.setUint16(8, padded.length, true);
  else view.setUint32(8, padded.length, true);
  bytes.set(new TextEncoder().encode(padded), prefix);
  fill(view, prefix + padded.length);
  return bytes;
}

/** Where the element at a C position stands in Fortran order. */
function fortranPosition(position: number, dims: readonly number[]): number {
  const index: number[] = [];
  for (const dim of [...dims].reverse()) {
    index.unshift(position % dim);
    position = Math.floor(position / dim);
  }
  return index.reduceRight((sum, coordinate, axis) => sum * dims[axis]! + coordinate, 0);
}
