import { PruneError } from '../errors.js';
import type { BatchTensor } from './batch.js';
import { unzip } from './compression.js';
import { allocate, bytesPerElement, swapBytes, viewElements, type ElementType } from './elements.js';

/** Type characters of NumPy's `descr`, without the byte order. */
const elementTypes: ReadonlyMap<string, ElementType> = new Map(
  Object.entries({
    b1: 'bool',
    i1: 'int8',
    i2: 'int16',
    i4: 'int32',
    i8: 'int64',
    u1: 'uint8',
    u2: 'uint16',
    u4: 'uint32',
    u8: 'uint64',
    f2: 'float16',
    f4: 'float32',
    f8: 'float64',
  } as const),
);

/**
 * Reads one `.npy` array (format versions 1 to 3, either byte order, C or Fortran order) as C order.
 * Elements are a view of `bytes` where they can be.
 * @throws PruneError `invalid-data` naming `file`.
 */
export function parseNpy(bytes: Uint8Array, file: string): BatchTensor {
  const fail = (what: string, cause?: unknown) =>
    new PruneError('invalid-data', `'${file}' ${what}`, { cause });
  if (bytes.length < 10 || bytes[0] !== 0x93 || latin1(bytes.subarray(1, 6)) !== 'NUMPY') {
    throw fail('is not a .npy file; write it with numpy.save');
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = bytes[6]!;
  if (version < 1 || version > 3 || (version > 1 && bytes.length < 12)) {
    throw fail(`has the unknown .npy version ${version}; write it with numpy.save`);
  }
  const headerStart = version === 1 ? 10 : 12;
  const start = headerStart + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  if (start > bytes.length) throw fail('is truncated; write it again');

  const header = latin1(bytes.subarray(headerStart, start));
  const descr = /'descr'\s*:\s*'([<>|=]?)(\w+)'/.exec(header);
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(header)?.[1];
  const shape = /'shape'\s*:\s*\(([\d,\sL]*)\)/.exec(header)?.[1];
  const dtype = descr ? elementTypes.get(descr[2]!) : undefined;
  if (!dtype) {
    const found = descr?.[2] ?? /'descr'\s*:\s*([^,}]*)/.exec(header)?.[1]?.trim() ?? 'nothing';
    throw fail(`has elements of type ${found}; save numbers or booleans (array.astype('float32'))`);
  }
  if (order === undefined || shape === undefined)
    throw fail('has a damaged header; write it with numpy.save');

  const dims = shape.split(',').map((dim) => dim.trim()).filter(Boolean).map((dim) => Number.parseInt(dim, 10)); // prettier-ignore
  const byteLength = dims.reduce((product, dim) => product * dim, bytesPerElement(dtype));
  if (byteLength !== bytes.length - start) {
    throw fail(
      `holds ${bytes.length - start} bytes where its shape (${dims.join(', ')}) needs ${byteLength}; write it again`,
    );
  }

  let body = bytes.subarray(start);
  if (descr![1] === '>' && bytesPerElement(dtype) > 1) {
    body = Uint8Array.from(body);
    swapBytes(body, bytesPerElement(dtype));
  }
  const tensor = { dtype, dims, data: viewElements(dtype, body) };
  return order === 'True' && dims.length > 1 ? fromFortranOrder(tensor) : tensor;
}

/** Reads the arrays of an `.npz` file, by name. */
export function parseNpz(bytes: Uint8Array, file: string, unpackLimit?: number): Map<string, BatchTensor> {
  const arrays = new Map<string, BatchTensor>();
  for (const [name, member] of unzip(bytes, file, (name) => name.endsWith('.npy'), unpackLimit)) {
    arrays.set(name.slice(0, -'.npy'.length), parseNpy(member, `${file}:${name}`));
  }
  if (arrays.size === 0)
    throw new PruneError('invalid-data', `'${file}' holds no arrays; write it with numpy.savez`);
  return arrays;
}

function fromFortranOrder({ dtype, dims, data }: BatchTensor): BatchTensor {
  const out = allocate(dtype, data.length);
  const strides = new Array<number>(dims.length).fill(1);
  for (let axis = 1; axis < dims.length; axis++) strides[axis] = strides[axis - 1]! * dims[axis - 1]!;
  const index = new Array<number>(dims.length).fill(0);
  let from = 0;
  for (let to = 0; to < data.length; to++) {
    out[to] = data[from]!;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      index[axis] = index[axis]! + 1;
      from += strides[axis]!;
      if (index[axis]! < dims[axis]!) break;
      from -= strides[axis]! * dims[axis]!;
      index[axis] = 0;
    }
  }
  return { dtype, dims, data: out };
}

function latin1(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
