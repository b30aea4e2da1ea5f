/**
 * A protobuf writer and walker of their own, against which the codec is compared. The walker knows only which
 * fields of onnx.proto are messages and which are packed numbers; everything else it keeps as bytes.
 */

export type Field = Uint8Array;

export function varint(value: number | bigint): number[] {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) out.push(Number(rest & 127n) | 128);
  out.push(Number(rest));
  return out;
}

export function integer(number: number, value: number | bigint): Field {
  return Uint8Array.from([...varint(number * 8), ...varint(value)]);
}

export function bytes(number: number, content: Uint8Array): Field {
  return Uint8Array.from([...varint(number * 8 + 2), ...varint(content.length), ...content]);
}

export function text(number: number, content: string): Field {
  return bytes(number, new TextEncoder().encode(content));
}

export function float(number: number, value: number): Field {
  return Uint8Array.from([...varint(number * 8 + 5), ...new Uint8Array(Float32Array.of(value).buffer)]);
}

export function join(...fields: readonly Field[]): Uint8Array {
  return Uint8Array.from(fields.flatMap((field) => [...field]));
}

export function message(number: number, ...fields: readonly Field[]): Field {
  return bytes(number, join(...fields));
}

type Kind = MessageName | 'packed varint' | 'packed 4' | 'packed 8';
type MessageName = keyof typeof schema;

/** Message fields and packed fields, as in onnx.proto of onnx 1.23. */
const schema = {
  Model: { 7: 'Graph', 8: 'OperatorSet', 14: 'StringEntry', 20: 'TrainingInfo', 25: 'Function', 26: 'Leaf' },
  Graph: { 1: 'Node', 5: 'Tensor', 11: 'ValueInfo', 12: 'ValueInfo', 13: 'ValueInfo', 14: 'Annotation', 15: 'SparseTensor', 16: 'StringEntry' },
  Node: { 5: 'Attribute', 9: 'StringEntry', 10: 'Leaf' },
  Attribute: { 5: 'Tensor', 6: 'Graph', 7: 'packed 4', 8: 'packed varint', 10: 'Tensor', 11: 'Graph', 14: 'Type', 15: 'Type', 22: 'SparseTensor', 23: 'SparseTensor' },
  Tensor: { 1: 'packed varint', 3: 'Leaf', 4: 'packed 4', 5: 'packed varint', 7: 'packed varint', 10: 'packed 8', 11: 'packed varint', 13: 'StringEntry', 16: 'StringEntry' },
  SparseTensor: { 1: 'Tensor', 2: 'Tensor', 3: 'packed varint' },
  ValueInfo: { 2: 'Type', 4: 'StringEntry' },
  Type: { 1: 'TensorType', 4: 'ElementType', 5: 'MapType', 8: 'TensorType', 9: 'ElementType' },
  TensorType: { 2: 'Shape' },
  ElementType: { 1: 'Type' },
  MapType: { 2: 'Type' },
  Shape: { 1: 'Leaf' },
  Annotation: { 2: 'StringEntry' },
  Function: { 7: 'Node', 9: 'OperatorSet', 11: 'Attribute', 12: 'ValueInfo', 14: 'StringEntry' },
  TrainingInfo: { 1: 'Graph', 2: 'Graph', 3: 'StringEntry', 4: 'StringEntry' },
  OperatorSet: {},
  StringEntry: {},
  Leaf: {},
} as const satisfies Record<string, Record<number, string>>; // prettier-ignore

/** Fields by number, each a list in file order; empty byte fields are left out, as they mean the default. */
export interface Canonical {
  readonly [field: number]: readonly (string | Canonical)[];
}

/** What a message means: independent of field order, of packing, and of defaults that are spelled out. */
export function canonical(content: Uint8Array, type: MessageName = 'Model'): Canonical {
  const out: Record<number, (string | Canonical)[]> = {};
  const kinds = schema[type] as Readonly<Record<number, Kind | undefined>>;
  let at = 0;
  const number = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = content[at++];
      if (byte === undefined) throw new Error('cut off');
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  const take = (length: number): Uint8Array => {
    if (at + length > content.length) throw new Error('cut off');
    return content.subarray(at, (at += length));
  };
  while (at < content.length) {
    const tag = number();
    const field = Number(tag >> 3n);
    const list = (out[field] ??= []);
    const kind = kinds[field];
    switch (Number(tag & 7n)) {
      case 0:
        list.push(`varint ${number()}`);
        break;
      case 1:
        list.push(`8 bytes ${hex(take(8))}`);
        break;
      case 5:
        list.push(`4 bytes ${hex(take(4))}`);
        break;
      case 2: {
        const end = Number(number()) + at;
        if (kind === 'packed varint') while (at < end) list.push(`varint ${number()}`);
        else if (kind === 'packed 4') while (at < end) list.push(`4 bytes ${hex(take(4))}`);
        else if (kind === 'packed 8') while (at < end) list.push(`8 bytes ${hex(take(8))}`);
        else {
          const inner = take(end - at);
          if (kind) list.push(canonical(inner, kind));
          else if (inner.length > 0) list.push(`bytes ${hex(inner)}`);
        }
        break;
      }
      case 3: {
        const start = at;
        for (let open = 1; open > 0;) {
          const type = Number(number() & 7n);
          if (type === 0) number();
          else if (type === 1) take(8);
          else if (type === 2) take(Number(number()));
          else if (type === 5) take(4);
          else open += type === 3 ? 1 : -1;
        }
        list.push(`group ${hex(content.subarray(start, at))}`);
        break;
      }
      default:
        throw new Error(`wire type ${tag & 7n}`);
    }
    if (list.length === 0) delete out[field];
  }
  return out;
}

function hex(content: Uint8Array): string {
  return [...content].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
