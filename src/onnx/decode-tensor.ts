import type onnxProto from 'onnx-proto';

import { subrange, type ByteSource } from './bytes.js';
import type { DataType } from './data-type.js';
import { bitsOf, dataTypeFromNumber } from './data-type.js';
import type { ExternalReader } from './external.js';
import type { StringEntry } from './message.js';
import { safeInteger } from './proto-integers.js';
import type { Tensor, TensorData } from './tensor.js';
import { AbsentData, ExternalData, RawData, StoredData, StringData, TypedData } from './tensor-data.js';
import type { SideTable } from './unknown-fields.js';
import { typedFields } from './unknown-fields.js';
import { MalformedError } from './wire.js';

type Message = onnxProto.onnx.TensorProto;

export function decodeTensor(
  message: Message,
  table: SideTable,
  file: ByteSource,
  external: ExternalReader | undefined,
  stringEntry: (entry: onnxProto.onnx.IStringStringEntryProto) => StringEntry,
): Tensor {
  const { name, docString } = message;
  const dims = message.dims.map((dim) => safeInteger(dim, `a dim of tensor '${name}'`));
  const dtype = dataTypeFromNumber(message.dataType);
  const unknown = table.unknown.get(message);
  const segment = message.segment ? table.encoded.get(message.segment) : undefined;
  return {
    name,
    dims,
    dtype,
    data: decodeData(message, dims, dtype, table, file, external, stringEntry),
    docString,
    ...(segment && { segment }),
    ...(unknown && { unknown }),
  };
}

function decodeData(
  message: Message,
  dims: readonly number[],
  dtype: DataType,
  table: SideTable,
  file: ByteSource,
  external: ExternalReader | undefined,
  stringEntry: (entry: onnxProto.onnx.IStringStringEntryProto) => StringEntry,
): TensorData {
  const { name } = message;
  const count = checkedCount(name, dims);
  const bits = bitsOf(dtype);
  const byteLength = bits === undefined ? undefined : checked(name, Math.ceil((count * bits) / 8));
  const expect = (length: number): void => {
    if (byteLength !== undefined && length !== byteLength)
      throw new MalformedError(
        `tensor '${name}' of shape [${dims.join(', ')}] needs ${byteLength} bytes but has ${length}`,
      );
  };

  if ((message.dataLocation as number) === 1)
    return new ExternalData(name, byteLength, message.externalData.map(stringEntry), external);
  const packed = [...(table.packed.get(message) ?? [])];
  const left = table.left.get(message);
  if ((left || message.rawData.length + message.stringData.length > 0) && packed.length > 0)
    throw new MalformedError(`tensor '${name}' has both raw and typed data`);
  if (dtype === 'string') {
    if (message.stringData.length === 0 && count > 0) return new AbsentData(name, 0);
    if (message.stringData.length !== count)
      throw new MalformedError(
        `tensor '${name}' needs ${count} strings but has ${message.stringData.length}`,
      );
    return new StringData(name, message.stringData);
  }
  if (packed.length > 0) {
    const [field, bytes] = packed[0]!;
    const fits = byteLength === undefined || field === fieldOf(dtype);
    if (packed.length > 1 || !fits) throw new MalformedError(`tensor '${name}' has data of another type`);
    if (field === typedFields.float || field === typedFields.double) expect(bytes.length);
    return new TypedData(name, dtype, byteLength ?? bytes.length, field, bytes);
  }
  if (left) {
    expect(left.to - left.from);
    return new StoredData(subrange(file, left.from, left.to));
  }
  if (message.rawData.length === 0 && count > 0) return new AbsentData(name, byteLength ?? 0);
  expect(message.rawData.length);
  return new RawData(message.rawData.length > 0 ? message.rawData : new Uint8Array(0));
}

/** The typed field that holds elements of a dtype, as TensorProto documents it. */
function fieldOf(dtype: DataType): number {
  switch (dtype) {
    case 'float32':
    case 'complex64':
      return typedFields.float;
    case 'float64':
    case 'complex128':
      return typedFields.double;
    case 'int64':
      return typedFields.int64;
    case 'uint32':
    case 'uint64':
      return typedFields.uint64;
    default:
      return typedFields.int32;
  }
}

function checkedCount(name: string, dims: readonly number[]): number {
  let count = 1;
  for (const dim of dims) {
    if (dim < 0) throw new MalformedError(`tensor '${name}' has the dim ${dim}`);
    count *= dim;
  }
  // [2^40, 2^40, 0] has no elements, and still no strides.
  checked(
    name,
    dims.reduce((product, dim) => product * Math.max(1, dim), 1),
  );
  return count;
}

function checked(name: string, value: number): number {
  if (!Number.isSafeInteger(value))
    throw new MalformedError(`tensor '${name}' has more elements than fit in memory`);
  return value;
}
