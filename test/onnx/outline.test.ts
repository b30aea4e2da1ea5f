import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { decodeModel, decodeModelFile, encodeModel } from '../../src/onnx/codec.js';
import type { ByteSource } from '../../src/onnx/bytes.js';
import { outlineModel } from '../../src/onnx/outline.js';
import { sliceTensor } from '../../src/onnx/slice.js';
import { integerTensor } from '../../src/onnx/values.js';
import { allTensors } from '../../src/onnx/walk.js';
import { graph, model, node } from './build.js';

/** Counts what is read of some bytes. */
class Counted implements ByteSource {
  total = 0;

  constructor(private readonly bytes: Uint8Array) {}

  get byteLength(): number {
    return this.bytes.length;
  }

  read(from: number, to: number): Uint8Array {
    this.total += to - from;
    return this.bytes.slice(from, to);
  }
}

const large = (name: string, seed: number, count = 50_000) =>
  integerTensor(
    name,
    Array.from({ length: count }, (_, i) => (i * seed) % 251),
    [count],
    'int32',
  );

/** Weights in all places where a model may have them. */
function everywhere() {
  const inner = graph([node('Identity', ['v'], ['b'])], [], ['b'], [large('v', 5)]);
  const nodes = [
    node('Constant', [], ['c'], { value: { type: 'tensor', value: large('', 3) } }),
    node('If', ['x'], ['y'], {
      then_branch: { type: 'graph', value: inner },
      else_branch: { type: 'graph', value: inner },
    }),
  ];
  const made = model(graph(nodes, ['x'], ['y'], [large('w', 7), large('small', 1, 10), large('z', 11)]));
  return { ...made, docString: 'x'.repeat(100_000) };
}

describe('a model whose large weights stay in the file', () => {
  it('is the same as one that was read whole, and encodes to the same bytes', () => {
    const bytes = encodeModel(everywhere());
    const file = new Counted(bytes);
    const left = decodeModelFile(file);
    expect(file.total).toBeLessThan(1_000_000);
    const whole = decodeModel(bytes);
    const [some, others] = [[...allTensors(left)], [...allTensors(whole)]];
    expect(some.map(({ name, dims, dtype }) => [name, dims, dtype])).toEqual(
      others.map(({ name, dims, dtype }) => [name, dims, dtype]),
    );
    for (const [i, { data }] of some.entries()) {
      expect(data.storage).toBe('raw');
      expect(Buffer.compare(data.bytes(), others[i]!.data.bytes())).toBe(0);
    }
    expect(Buffer.compare(encodeModel(left), bytes)).toBe(0);
  });

  it('reads no more of a weight than is asked for', () => {
    const bytes = encodeModel(everywhere());
    const file = new Counted(bytes);
    const { initializers } = decodeModelFile(file).graph;
    file.total = 0;
    const part = initializers[2]!.data.read(1000, 3000);
    expect([...part]).toEqual([...large('z', 11).data.bytes().subarray(1000, 3000)]);
    const sliced = sliceTensor(initializers[0]!, new Map([[0, Int32Array.of(5, 6, 40_000)]]));
    expect(file.total).toBe(2000);
    expect([...sliced.data.bytes()]).toEqual([
      ...integerTensor('', [35, 42, (40_000 * 7) % 251], [3], 'int32').data.bytes(),
    ]);
  });

  it.each(['topologies', 'trained'])('holds for the committed models: %s', (folder) => {
    const root = join(import.meta.dirname, '..', '..', 'models', folder);
    for (const name of readdirSync(root).filter((file) => file.endsWith('.onnx'))) {
      const bytes = readFileSync(join(root, name));
      const left = decodeModelFile(new Counted(bytes));
      expect(Buffer.compare(encodeModel(left), encodeModel(decodeModel(bytes))), name).toBe(0);
    }
  });

  it('keeps a tensor whole whose raw data stands twice, as the last one counts', () => {
    const field = (number: number, content: Uint8Array) => {
      const length = [
        (content.length & 127) | 128,
        ((content.length >> 7) & 127) | 128,
        content.length >> 14,
      ];
      return Buffer.concat([Buffer.of(number * 8 + 2, ...length), content]);
    };
    const [one, two] = [new Uint8Array(70_000).fill(1), new Uint8Array(70_000).fill(2)];
    const dims = Buffer.of(0x08, 0xf0, 0xa2, 0x04, 0x10, 0x02);
    const tensor = Buffer.concat([dims, field(9, one), field(9, two)]);
    const file = new Counted(field(7, field(5, tensor)));
    expect(outlineModel(file).cuts.size).toBe(0);
    expect(decodeModelFile(file).graph.initializers[0]!.data.bytes()).toEqual(two);
  });

  it.each([
    ['a field past the end', [0x3a, 0xff, 0x01]],
    ['a number that is cut off', [0x08, 0x80]],
  ])('calls %s a damaged file', (_, bytes) => {
    expect(() => decodeModelFile(new Counted(Uint8Array.from(bytes)))).toThrow(
      'damaged or not an onnx model',
    );
  });
});
