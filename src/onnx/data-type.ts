/** Element types of ONNX tensors, with the numbers of `TensorProto.DataType`. */
export const dataTypes = {
  undefined: 0,
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  complex64: 14,
  complex128: 15,
  bfloat16: 16,
  float8e4m3fn: 17,
  float8e4m3fnuz: 18,
  float8e5m2: 19,
  float8e5m2fnuz: 20,
  uint4: 21,
  int4: 22,
  float4e2m1: 23,
  float8e8m0: 24,
  uint2: 25,
  int2: 26,
} as const;

export type DataTypeName = keyof typeof dataTypes;

/** A dtype by name, or by number where ONNX has added one since. */
export type DataType = DataTypeName | number;

const bitsByName: Partial<Record<DataTypeName, number>> = {
  float32: 32, uint8: 8, int8: 8, uint16: 16, int16: 16, int32: 32, int64: 64, bool: 8, float16: 16,
  float64: 64, uint32: 32, uint64: 64, complex64: 64, complex128: 128, bfloat16: 16, float8e4m3fn: 8,
  float8e4m3fnuz: 8, float8e5m2: 8, float8e5m2fnuz: 8, uint4: 4, int4: 4, float4e2m1: 4, float8e8m0: 8,
  uint2: 2, int2: 2,
}; // prettier-ignore

const names = new Map<number, DataTypeName>(
  Object.entries(dataTypes).map(([name, number]) => [number, name as DataTypeName]),
);

/** Bits of one element, undefined for strings and unknown types. */
export function bitsOf(dtype: DataType): number | undefined {
  return typeof dtype === 'number' ? undefined : bitsByName[dtype];
}

export function dataTypeFromNumber(value: number): DataType {
  return names.get(value) ?? value;
}

export function dataTypeToNumber(dtype: DataType): number {
  return typeof dtype === 'number' ? dtype : dataTypes[dtype];
}

/** float32, float64, float16 and bfloat16: the dtypes whose weights are scored and compared. */
export function isFloat(dtype: DataType): boolean {
  return dtype === 'float32' || dtype === 'float64' || dtype === 'float16' || dtype === 'bfloat16';
}

/** What weights are held in: floats, and what quantizers make of them. Shapes, indices and masks are of other types. */
export function isWeightType(dtype: DataType): boolean {
  return isFloat(dtype) || (quantizedTypes as readonly DataType[]).includes(dtype);
}

const quantizedTypes = ['int8', 'uint8', 'int4', 'uint4', 'int2', 'uint2'] as const;
