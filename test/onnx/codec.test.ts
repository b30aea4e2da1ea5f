import onnxProto from 'onnx-proto';
import { describe, expect, it } from 'vitest';

import { PruneError } from '../../src/errors.js';
import { decodeModel, encodeModel } from '../../src/onnx/codec.js';
import { bytes, canonical, float, integer, join, message, text, varint } from '../oracles/wire-format.js';

/** A field that no version of onnx has; its payload tells where it belongs. */
const unknown = (where: string) => text(5000, where);

const stringEntry = (number: number, key: string, ...more: Uint8Array[]) =>
  message(number, text(1, key), text(2, 'value'), ...more);

const floats = (number: number, ...values: number[]) =>
  bytes(number, new Uint8Array(Float32Array.from(values).buffer));

const tensor = (number: number, name: string, ...more: Uint8Array[]) =>
  message(number, bytes(1, Uint8Array.of(2)), integer(2, 1), text(8, name), floats(9, 1, 2), ...more);

const tensorType = (number = 2) =>
  message(
    number,
    message(
      1,
      integer(1, 1),
      message(
        2,
        message(1, integer(1, 2), text(3, 'DATA_BATCH'), unknown('dimension')),
        message(1, text(2, 'n')),
        message(1),
        unknown('shape'),
      ),
      unknown('tensor type'),
    ),
    text(6, 'IMAGE'),
    unknown('type'),
  );

const valueInfo = (number: number, name: string) =>
  message(number, text(1, name), tensorType(), text(3, 'doc'), stringEntry(4, 'meta'), unknown('value info'));

const opsetImport = (number: number, domain: string) =>
  message(number, text(1, domain), integer(2, 17), unknown('opset import'));

const attribute = (name: string, type: number, ...value: Uint8Array[]) =>
  message(5, text(1, name), integer(20, type), ...value, unknown(`attribute ${name}`));

const body = (number: number) =>
  message(number, message(1, text(2, 'y'), text(4, 'Constant')), text(2, 'body'));

const sparse = (number: number) =>
  message(number, tensor(1, 'sparse', unknown('values')), tensor(2, ''), integer(3, 4), unknown('sparse'));

const node = (number: number) =>
  message(
    number,
    text(1, 'x'),
    text(1, ''),
    text(2, 'y'),
    text(3, 'n'),
    text(4, 'Op'),
    text(7, 'custom'),
    text(8, 'overload'),
    text(6, 'node doc'),
    stringEntry(9, 'node metadata'),
    message(10, text(1, 'device')),
    attribute('f', 1, float(2, 0.5)),
    attribute('i', 2, integer(3, -(2n ** 63n))),
    attribute('s', 3, bytes(4, Uint8Array.of(0xff, 0))),
    attribute('t', 4, tensor(5, 't')),
    attribute('g', 5, body(6)),
    attribute('floats', 6, float(7, 1), float(7, 2)),
    attribute('ints', 7, bytes(8, Uint8Array.from([...varint(2n ** 63n - 1n), ...varint(-1)]))),
    attribute('strings', 8, text(9, 'a'), text(9, 'b')),
    attribute('tensors', 9, tensor(10, 't1'), tensor(10, 't2')),
    attribute('graphs', 10, body(11), body(11)),
    attribute('sparse', 11, sparse(22)),
    attribute('sparses', 12, sparse(23), sparse(23)),
    attribute('type', 13, message(14, message(4, tensorType(1)), unknown('attribute type'))),
    attribute('types', 14, message(15, message(1, integer(1, 1)))),
    attribute('old', 0, integer(3, 1)),
    attribute('newer', 99, text(77, 'newer')),
    attribute('reference', 1, text(21, 'alpha'), text(13, 'attribute doc')),
    attribute('graph reference', 5, text(21, 'then')),
    unknown('node'),
  );

const graph = message(
  7,
  node(1),
  text(2, 'g'),
  text(10, 'graph doc'),
  tensor(
    5,
    'w',
    message(3, integer(1, 0), integer(2, 2), unknown('segment')),
    text(12, 'doc'),
    unknown('tensor'),
  ),
  sparse(15),
  valueInfo(11, 'x'),
  valueInfo(12, 'y'),
  valueInfo(13, 'z'),
  message(
    11,
    text(1, 'sequence'),
    message(2, message(4, message(1, message(1, integer(1, 1)))), unknown('sequence')),
  ),
  message(11, text(1, 'opaque'), message(2, message(7, text(1, 'd')))),
  message(11, text(1, 'untyped')),
  message(14, text(1, 'w'), stringEntry(2, 'SCALE_TENSOR', unknown('entry')), unknown('annotation')),
  stringEntry(16, 'graph metadata'),
  unknown('graph'),
);

const functionBody = message(
  25,
  text(1, 'f'),
  text(10, 'custom'),
  text(4, 'a'),
  text(5, 'b'),
  text(6, 'alpha'),
  node(7),
  text(8, 'function doc'),
  opsetImport(9, ''),
  message(11, text(1, 'default'), integer(20, 1), float(2, 1)),
  valueInfo(12, 'a'),
  text(13, 'overload'),
  stringEntry(14, 'function metadata'),
  unknown('function'),
);

const everything = join(
  integer(1, 10),
  text(2, 'producer'),
  text(3, '1.0'),
  text(4, 'domain'),
  integer(5, 2n ** 60n),
  text(6, 'model doc'),
  graph,
  opsetImport(8, ''),
  opsetImport(8, 'custom'),
  stringEntry(14, 'key', unknown('entry')),
  message(
    20,
    message(1, text(2, 'init'), unknown('training graph')),
    stringEntry(3, 'w'),
    unknown('training'),
  ),
  functionBody,
  message(26, text(1, 'configuration')),
  unknown('model'),
);

const small = (...inGraph: Uint8Array[]) =>
  join(integer(1, 8), message(7, text(2, 'g'), ...inGraph), message(8, integer(2, 17)));

const only = (...fields: Uint8Array[]) => decodeModel(small(message(5, ...fields))).graph.initializers[0]!;

describe('codec', () => {
  it('writes what it read, with every kind of message holding an unknown field', () => {
    const again = encodeModel(decodeModel(everything));
    expect(canonical(again)).toEqual(canonical(everything));
    expect(encodeModel(decodeModel(again))).toEqual(again);
  });

  it('keeps unknown fields of all wire types, groups and long varints included, byte for byte', () => {
    const fields = [
      [...varint(5000 * 8), 0x81, 0x80, 0x00],
      [...varint(5001 * 8 + 1), 1, 2, 3, 4, 5, 6, 7, 8],
      [...varint(5002 * 8 + 2), 2, 9, 9],
      [...varint(5003 * 8 + 3), ...varint(8), 1, ...varint(5004 * 8 + 3), ...varint(5004 * 8 + 4), ...varint(5003 * 8 + 4)],
      [...varint(5005 * 8 + 5), 1, 2, 3, 4],
    ]; // prettier-ignore
    const model = decodeModel(join(small(), ...fields.map((field) => Uint8Array.from(field))));
    expect([...model.unknown!]).toEqual(fields.flat());
    expect([...encodeModel(model)].slice(-fields.flat().length)).toEqual(fields.flat());
  });

  it('leaves onnx-proto as it found it', () => {
    const functions = () => Object.entries(onnxProto.onnx.NodeProto);
    const before = functions();
    encodeModel(decodeModel(everything));
    expect(() => decodeModel(Uint8Array.of(0x3a, 0xff))).toThrow(PruneError);
    expect(before.map(([name]) => name)).toContain('decode');
    functions().forEach(([name, value], i) => expect(value, name).toBe(before[i]![1]));
  });

  it('reads values exactly', () => {
    const model = decodeModel(everything);
    const { attributes, outputs, inputs } = model.graph.nodes[0]!;
    expect(model.modelVersion).toBe(2n ** 60n);
    expect([...model.opsets]).toEqual([
      ['', 17],
      ['custom', 17],
    ]);
    expect([inputs, outputs]).toEqual([['x', ''], ['y']]);
    expect(attributes.get('i')!.value).toBe(-(2n ** 63n));
    expect(attributes.get('ints')!.value).toEqual([2n ** 63n - 1n, -1n]);
    expect(attributes.get('floats')!.value).toEqual([1, 2]);
    expect(attributes.get('reference')!.reference).toBe('alpha');
    const type = model.graph.inputs[0]!.type!;
    expect(type.kind === 'tensor' && type.shape!.map(({ value }) => value)).toEqual([2, 'n', undefined]);
  });

  it('takes ai.onnx for the default domain', () => {
    const model = decodeModel(small(message(1, text(4, 'Relu'), text(7, 'ai.onnx'))));
    expect(model.graph.nodes[0]!.domain).toBe('');
  });

  it('views weights in the file instead of copying them', () => {
    const file = small(tensor(5, 'w'));
    const view = decodeModel(file).graph.initializers[0]!.data.bytes();
    expect(view.buffer).toBe(file.buffer);
  });
});

describe('tensor data', () => {
  const dims = (...sizes: number[]) => bytes(1, Uint8Array.from(sizes.flatMap(varint)));
  const packed = (number: number, ...values: (number | bigint)[]) =>
    bytes(number, Uint8Array.from(values.flatMap(varint)));

  const cases: [string, Uint8Array[], number[]][] = [
    ['float_data', [dims(2), integer(2, 1), floats(4, 1, -2)], [0, 0, 128, 63, 0, 0, 0, 192]],
    ['float_data, not packed', [dims(2), integer(2, 1), float(4, 1), float(4, -2)], [0, 0, 128, 63, 0, 0, 0, 192]],
    ['int64_data', [dims(3), integer(2, 7), packed(7, 1, -1, 2n ** 62n)],
      [1, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 64]],
    ['int64_data, not packed', [dims(2), integer(2, 7), integer(7, 300), integer(7, 1)],
      [44, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]],
    ['int32_data', [dims(2), integer(2, 6), packed(5, -2, 70000)], [254, 255, 255, 255, 112, 17, 1, 0]],
    ['int32_data as int8', [dims(2), integer(2, 3), packed(5, -1, 5)], [255, 5]],
    ['int32_data as float16', [dims(2), integer(2, 10), packed(5, 0x3c00, 0xc000)], [0, 60, 0, 192]],
    ['int32_data as bool', [dims(2), integer(2, 9), packed(5, 1, 0)], [1, 0]],
    ['int32_data as int4', [dims(3), integer(2, 22), packed(5, 0x21, 0xf)], [0x21, 0xf]],
    ['uint64_data as uint32', [dims(1), integer(2, 12), packed(11, 2 ** 32 - 1)], [255, 255, 255, 255]],
    ['uint64_data', [dims(1), integer(2, 13), packed(11, 2n ** 64n - 1n)], [255, 255, 255, 255, 255, 255, 255, 255]],
    ['double_data', [dims(1), integer(2, 11), bytes(10, new Uint8Array(Float64Array.of(1).buffer))], [0, 0, 0, 0, 0, 0, 240, 63]],
    ['raw_data as float8', [dims(2), integer(2, 17), bytes(9, Uint8Array.of(1, 2))], [1, 2]],
    ['raw_data as int4', [dims(3), integer(2, 22), bytes(9, Uint8Array.of(0x21, 0xf))], [0x21, 0xf]],
    ['raw_data of a type after this version', [dims(3), integer(2, 99), bytes(9, Uint8Array.of(7))], [7]],
    ['no elements', [dims(0, 3), integer(2, 1)], []],
    ['a scalar', [integer(2, 2), bytes(9, Uint8Array.of(7))], [7]],
  ]; // prettier-ignore
  it.each(cases)('reads %s', (_, fields, expected) => {
    const { data } = only(...fields);
    expect([...data.bytes()]).toEqual(expected);
    expect(data.byteLength).toBe(expected.length);
    const file = small(message(5, ...fields));
    expect(canonical(encodeModel(decodeModel(file)))).toEqual(canonical(file));
  });

  it('keeps an unknown field next to typed data', () => {
    const file = small(message(5, dims(1), integer(2, 1), floats(4, 1), unknown('tensor'), text(12, 'doc')));
    expect(canonical(encodeModel(decodeModel(file)))).toEqual(canonical(file));
  });

  it('decodes a stripped model, writes it again, and refuses to give its data', () => {
    const file = small(message(5, dims(4), integer(2, 1), text(8, 'w')));
    const model = decodeModel(file);
    const { data } = model.graph.initializers[0]!;
    expect([data.storage, data.byteLength]).toEqual(['absent', 16]);
    expect(() => data.bytes()).toThrow(
      "tensor 'w' has no data, its weights were stripped; use the model with its weights",
    );
    expect(canonical(encodeModel(model))).toEqual(canonical(file));
  });

  it('keeps strings and refuses to give them as bytes', () => {
    const file = small(message(5, dims(2), integer(2, 8), text(6, 'a'), text(6, 'bc'), text(8, 's')));
    const { data } = decodeModel(file).graph.initializers[0]!;
    expect(data.strings!.map((entry) => new TextDecoder().decode(entry))).toEqual(['a', 'bc']);
    expect(() => data.bytes()).toThrow(PruneError);
    expect(canonical(encodeModel(decodeModel(file)))).toEqual(canonical(file));
  });

  it('asks the reader for external ranges, and writes them inline unless told otherwise', () => {
    const entry = (key: string, value: string) => message(13, text(1, key), text(2, value));
    const external = [
      entry('location', 'w.bin'),
      entry('offset', '8'),
      entry('length', '2'),
      entry('checksum', 'c'),
    ];
    const file = small(message(5, dims(2), integer(2, 2), text(8, 'w'), ...external, integer(14, 1)));
    const asked: unknown[] = [];
    const model = decodeModel(file, {
      external: { check: (range) => void asked.push(range), read: () => Uint8Array.of(5, 6) },
    });
    const [w] = model.graph.initializers;
    expect(asked).toEqual([{ location: 'w.bin', offset: 8, length: 2 }]);
    expect([...w!.data.bytes()]).toEqual([5, 6]);
    const kept = encodeModel(model, { external: new Map([[w!, w!.data.externalEntries!]]) });
    expect(canonical(kept)).toEqual(canonical(file));
    const inline = decodeModel(encodeModel(model)).graph.initializers[0]!.data;
    expect([inline.storage, ...inline.bytes()]).toEqual(['raw', 5, 6]);
    expect(() => decodeModel(file).graph.initializers[0]!.data.bytes()).toThrow('is stored in another file');
  });

  it('refuses too few varints when they are read', () => {
    const { data } = only(dims(3), integer(2, 7), text(8, 'w'), packed(7, 1, 2));
    expect(() => data.bytes()).toThrow("tensor 'w' has not as many elements as its dims say");
  });
});

describe('damaged files', () => {
  const invalid: [string, Uint8Array, string][] = [
    ['an empty file', new Uint8Array(0), 'is empty'],
    ['text', new TextEncoder().encode('<!DOCTYPE html><html><body>404</body></html>'), 'damaged or not an onnx model'],
    ['zeros', new Uint8Array(64), 'a field has the number 0'],
    ['a model without graph', integer(1, 8), 'it has no graph'],
    ['a negative dim', small(message(5, integer(1, -1), integer(2, 1))), 'has the dim -1'],
    ['a dim past the safe range', small(message(5, integer(1, 2n ** 62n), integer(2, 1))), 'a dim of tensor'],
    ['dims that overflow', small(message(5, integer(1, 2n ** 40n), integer(1, 2n ** 40n), integer(2, 1))), 'more elements'],
    ['dims that overflow beside a 0', small(message(5, integer(1, 2n ** 40n), integer(1, 2n ** 40n), integer(1, 0), integer(2, 1))), 'more elements'],
    ['too little raw data', small(message(5, integer(1, 3), integer(2, 1), bytes(9, new Uint8Array(8)))), 'needs 12 bytes but has 8'],
    ['too little float data', small(message(5, integer(1, 3), integer(2, 1), floats(4, 1))), 'needs 12 bytes but has 4'],
    ['two kinds of data', small(message(5, integer(1, 1), integer(2, 1), floats(4, 1), floats(9, 1))), 'both raw and typed'],
    ['data of another type', small(message(5, integer(1, 1), integer(2, 1), integer(5, 1))), 'data of another type'],
    ['too few strings', small(message(5, integer(1, 2), integer(2, 8), text(6, 'a'))), 'needs 2 strings but has 1'],
    ['an attribute twice', small(message(1, text(4, 'Op'), attribute('a', 2, integer(3, 1)), attribute('a', 2, integer(3, 1)))), "has 'a' twice"],
    ['an attribute without its value', small(message(1, attribute('a', 4))), "'a' has no value"],
    ['a wrong external offset', small(message(5, integer(2, 2), message(13, text(1, 'location'), text(2, 'w')), message(13, text(1, 'offset'), text(2, '-1')), integer(14, 1))), 'no byte count'],
    ['an end group without start', join(small(), Uint8Array.from(varint(5000 * 8 + 4))), 'wire type 4'],
  ]; // prettier-ignore
  it.each(invalid)('%s is an invalid file', (_, file, reason) => {
    const error = caught(() => decodeModel(file));
    expect(error).toMatchObject({ code: 'invalid-file' });
    expect(error.message).toContain(reason);
    expect(error.message).not.toContain('\n');
  });

  it('any truncation is an invalid file or leaves a whole model', () => {
    for (let length = 0; length < everything.length; length++) {
      const error = caught(() => encodeModel(decodeModel(everything.slice(0, length))), true);
      if (error) expect(error).toMatchObject({ name: 'PruneError', code: 'invalid-file' });
    }
  });

  it('any damaged byte is an invalid file or gives some model, never another error', () => {
    for (let at = 0; at < everything.length; at++) {
      const file = everything.slice();
      file[at] = (file[at]! + 1 + ((at * 7) % 255)) & 255;
      const error = caught(() => decodeModel(file), true);
      if (error) expect(error).toMatchObject({ name: 'PruneError', code: 'invalid-file' });
    }
  });

  it('endless nesting is an invalid file, in messages and in groups', () => {
    // TypeProto { sequence_type { elem_type { ... } } }
    let type: Uint8Array = message(1, integer(1, 1));
    for (let i = 0; i < 400; i++) type = message(4, bytes(1, type));
    const error = caught(() => decodeModel(small(message(11, text(1, 'x'), bytes(2, type)))));
    expect(error).toMatchObject({ code: 'invalid-file' });
    expect(error.message).toContain('nested more than');
    const groups = new Uint8Array(1e6).fill(5 * 8 + 3);
    expect(caught(() => decodeModel(groups))).toMatchObject({
      code: 'invalid-file',
    });
  });
});

function caught(run: () => unknown): PruneError;
function caught(run: () => unknown, optional: true): PruneError | undefined;
function caught(run: () => unknown, optional = false): PruneError | undefined {
  try {
    run();
  } catch (error) {
    return error as PruneError;
  }
  if (optional) return undefined;
  throw new Error('nothing was thrown');
}
