import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { checkWritable, writeAtomic, writeTogether } from '../../src/files/atomic-file.js';
import { layOutExternal } from '../../src/files/external-layout.js';
import { readModel, writeModel } from '../../src/files/model-file.js';
import { blockBytes } from '../../src/onnx/bytes.js';
import { encodeModel } from '../../src/onnx/codec.js';
import type { StringEntry } from '../../src/onnx/message.js';
import type { Model } from '../../src/onnx/model.js';
import { sliceTensor } from '../../src/onnx/slice.js';
import type { Tensor } from '../../src/onnx/tensor.js';
import { floatsOf, floatTensor, integersOf, integerTensor } from '../../src/onnx/values.js';
import { graph, model, node } from '../onnx/build.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'onnx-prune-'));
});
afterEach(() => rm(folder, { recursive: true }));

const at = (name: string) => join(folder, name);
const w = integerTensor('w', [1, 2, 3, 4], [4], 'uint8');
const withWeights = (...tensors: Tensor[]): Model =>
  model(graph([node('Relu', ['x'], ['y'])], ['x'], ['y'], tensors));

/** A model whose `w` is in another file, as an exporter writes it. */
function writeExternal(name: string, location: string, offset = 0, length = 4): void {
  const entries: StringEntry[] = [
    { key: 'location', value: location },
    { key: 'offset', value: String(offset) },
    { key: 'length', value: String(length) },
  ];
  writeFileSync(at(name), encodeModel(withWeights(w), { external: new Map([[w, entries]]) }));
}

const values = (read: Model): number[][] => read.graph.initializers.map(integersOf);

describe('readModel', () => {
  it('reads what writeModel wrote, the same bytes each time', async () => {
    await writeModel(withWeights(w), at('m.onnx'));
    const first = readFileSync(at('m.onnx'));
    const read = await readModel(at('m.onnx'));
    expect(values(read)).toEqual([[1, 2, 3, 4]]);
    expect(await writeModel(read, at('m.onnx'))).toEqual({ bytes: first.length });
    expect(readFileSync(at('m.onnx'))).toEqual(first);
    expect(readdirSync(folder)).toEqual(['m.onnx']);
  });

  it.each([
    ['a missing file', () => 'missing.onnx', 'does not exist; check the path'],
    ['a folder', () => '.', 'is a folder; name an onnx file'],
    ['a file below a file', () => (writeFileSync(at('f'), ''), 'f/m.onnx'), "can't be read"],
    ['an empty file', () => (writeFileSync(at('f'), ''), 'f'), 'is empty'],
    ['text', () => (writeFileSync(at('f'), 'version https://git-lfs'), 'f'), 'damaged or not an onnx model'],
    [
      'a truncated file',
      () => (writeFileSync(at('f'), encodeModel(withWeights(w)).slice(0, -3)), 'f'),
      'damaged or not an onnx model',
    ],
  ])('calls %s an invalid file', async (_, make, reason) => {
    const path = at(make());
    const error = await readModel(path).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'PruneError', code: 'invalid-file' });
    expect((error as Error).message).toContain(reason);
    expect((error as Error).message).toContain(path);
  });
});

describe('external data', () => {
  it('is read by range, from folders and inner links too', async () => {
    mkdirSync(at('sub'));
    writeFileSync(at('sub/w.bin'), Uint8Array.of(9, 5, 6, 7, 8, 9));
    symlinkSync(at('sub/w.bin'), at('link.bin'));
    for (const location of ['sub/w.bin', './sub/w.bin', 'link.bin']) {
      writeExternal('m.onnx', location, 1);
      expect(values(await readModel(at('m.onnx')))).toEqual([[5, 6, 7, 8]]);
    }
  });

  it.each([
    ['an absolute path', () => at('w.bin'), 0, 'unsafe-path', 'is an absolute path'],
    ['a Windows path', () => 'C:\\w.bin', 0, 'unsafe-path', 'is an absolute path'],
    ['a path upwards', () => '../w.bin', 0, 'unsafe-path', "leaves the model's folder"],
    ['a hidden path upwards', () => 'sub/../../w.bin', 0, 'unsafe-path', "leaves the model's folder"],
    ['a backslash path upwards', () => '..\\w.bin', 0, 'unsafe-path', "leaves the model's folder"],
    [
      'a link that leaves',
      () => (
        writeFileSync(at('outside.bin'), 'secret'),
        symlinkSync(at('outside.bin'), at('model/w.bin')),
        'w.bin'
      ),
      0,
      'unsafe-path',
      "is a link that leaves the model's folder",
    ],
    [
      'a linked folder that leaves',
      () => (writeFileSync(at('w.bin'), 'secret'), symlinkSync(folder, at('model/up')), 'up/w.bin'),
      0,
      'unsafe-path',
      "is a link that leaves the model's folder",
    ],
    ['a folder', () => (mkdirSync(at('model/d')), 'd'), 0, 'unsafe-path', 'is no file'],
    [
      'a range past the end',
      () => (writeFileSync(at('model/w.bin'), 'abcde'), 'w.bin'),
      2,
      'unsafe-path',
      'has 5 bytes, but bytes 2 to 6 are asked for',
    ],
    ['a missing file', () => 'w.bin', 0, 'invalid-file', 'is missing; put it next to the model'],
  ])('%s is refused', async (_, make, offset, code, reason) => {
    mkdirSync(at('model'));
    writeExternal('model/m.onnx', make(), offset);
    const error = await readModel(at('model/m.onnx')).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'PruneError', code });
    expect((error as Error).message).toContain(reason);
  });

  it('stays external, also after slicing, in a new file beside the output', async () => {
    writeFileSync(at('w.bin'), Uint8Array.of(5, 6, 7, 8));
    writeExternal('m.onnx', 'w.bin');
    const read = await readModel(at('m.onnx'));
    const sliced = sliceTensor(read.graph.initializers[0]!, new Map([[0, Int32Array.of(1, 3)]]));
    const pruned = { ...read, graph: { ...read.graph, initializers: [sliced] } };
    const written = await writeModel(pruned, at('out.onnx'));
    expect(written.data).toEqual({ path: at('out.onnx.data'), bytes: 2 });
    expect([...readFileSync(at('out.onnx.data'))]).toEqual([6, 8]);
    const again = await readModel(at('out.onnx'));
    expect(again.graph.initializers[0]!.data.storage).toBe('external');
    expect(values(again)).toEqual([[6, 8]]);
  });

  it("never goes over the source's own data, even if the output replaces the source", async () => {
    writeFileSync(at('m.onnx.data'), Uint8Array.of(5, 6, 7, 8));
    writeExternal('m.onnx', 'm.onnx.data');
    await writeModel(await readModel(at('m.onnx')), at('m.onnx'));
    expect([...readFileSync(at('m.onnx.data'))]).toEqual([5, 6, 7, 8]);
    expect(readdirSync(folder)).toEqual(['m.onnx', 'm.onnx.2.data', 'm.onnx.data']);
    expect(values(await readModel(at('m.onnx')))).toEqual([[5, 6, 7, 8]]);
  });

  it('is aligned, to pages for large tensors, and takes small tensors of huge models inline', () => {
    const bytes = (name: string, size: number) =>
      integerTensor(name, new Array<number>(size).fill(1), [size], 'uint8');
    const tensors = [bytes('a', 1025), bytes('b', 2000), bytes('c', 2 ** 20), bytes('d', 10)];
    expect(layOutExternal(withWeights(...tensors), 'm.onnx')).toBeUndefined();
    const layout = layOutExternal(withWeights(...tensors), 'm.onnx', { inlineLimit: 1000 })!;
    const offsets = [...layout.entries].map(([{ name }, entries]) => [name, entries[1]!.value]);
    expect(offsets).toEqual([
      ['a', '0'],
      ['b', '1088'],
      ['c', '65536'],
    ]);
    const content = Buffer.concat(layout.parts.map((part) => part.read(0, part.byteLength)));
    expect(content.length).toBe(layout.byteLength);
    expect(content[1088 + 1999]).toBe(1);
    expect(content[1088 + 2000]).toBe(0);
  });
});

describe('writing', () => {
  it('is refused before any work where it cannot succeed', async () => {
    writeFileSync(at('file'), '');
    mkdirSync(at('sub'));
    await expect(checkWritable(at('sub'))).rejects.toMatchObject({ code: 'write' });
    await expect(checkWritable(at('none/m.onnx'))).rejects.toThrow(
      'its folder does not exist; create the folder',
    );
    await expect(checkWritable(at('file/m.onnx'))).rejects.toMatchObject({ code: 'write' });
    await expect(checkWritable(at('m.onnx'))).resolves.toBeUndefined();
    expect(existsSync(at('m.onnx'))).toBe(false);
    await expect(writeModel(withWeights(w), at('file'), { overwrite: false })).rejects.toThrow(
      'exists; allow overwriting or choose another path',
    );
    expect(readFileSync(at('file'), 'utf8')).toBe('');
  });

  it('leaves the old file and no temporary one when it fails half-way', async () => {
    writeFileSync(at('m'), 'old');
    const failing = {
      byteLength: 3 * blockBytes,
      read: (from: number, to: number) => {
        if (from > blockBytes) throw new Error('half-way');
        return new Uint8Array(to - from);
      },
    };
    const file = { path: at('m'), parts: [failing] };
    await expect(writeTogether([{ path: at('d'), parts: [] }, file])).rejects.toThrow('half-way');
    expect(readdirSync(folder)).toEqual(['m']);
    expect(readFileSync(at('m'), 'utf8')).toBe('old');
  });

  it('replaces a file instead of changing it, and writes through a link', async () => {
    writeFileSync(at('m'), 'old');
    linkSync(at('m'), at('other name'));
    symlinkSync(at('m'), at('link'));
    await writeAtomic(at('link'), Uint8Array.of(110, 101, 119));
    expect(readFileSync(at('m'), 'utf8')).toBe('new');
    expect(readFileSync(at('link'), 'utf8')).toBe('new');
    expect(readFileSync(at('other name'), 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['link', 'm', 'other name']);
  });
});

describe('large files', () => {
  const count = 2 ** 15;
  const weight = () =>
    floatTensor(
      'w',
      Float32Array.from({ length: count }, (_, i) => i),
      [count / 8, 8],
    );

  it('give the same as small ones, sliced and written again', async () => {
    await writeModel(withWeights(weight()), at('m.onnx'));
    const cut = new Map([[1, Int32Array.of(0, 3, 4)]]);
    const outputs: Buffer[] = [];
    for (const [i, heldBytes] of [0, Infinity].entries()) {
      const read = await readModel(at('m.onnx'), heldBytes);
      const sliced = sliceTensor(read.graph.initializers[0]!, cut);
      await writeModel(withWeights(sliced), at(`out${i}.onnx`));
      outputs.push(readFileSync(at(`out${i}.onnx`)));
    }
    expect(Buffer.compare(outputs[0]!, outputs[1]!)).toBe(0);
    expect([...floatsOf((await readModel(at('out0.onnx'))).graph.initializers[0]!).subarray(0, 4)]).toEqual([
      0, 3, 4, 8,
    ]);
  });

  it('must not change while they are in use', async () => {
    await writeModel(withWeights(weight()), at('m.onnx'));
    const read = await readModel(at('m.onnx'), 0);
    await writeModel(withWeights(integerTensor('w', [1])), at('m.onnx'));
    expect(() => read.graph.initializers[0]!.data.bytes()).toThrow('has changed since the model was read');
  });

  it('have external data where that is asked for, or nowhere', async () => {
    const written = await writeModel(withWeights(weight(), w), at('m.onnx'), { externalData: 'always' });
    expect(written.data).toEqual({ path: at('m.onnx.data'), bytes: 4 * count });
    const read = await readModel(at('m.onnx'));
    expect(read.graph.initializers.map(({ data }) => data.storage)).toEqual(['external', 'raw']);
    expect((await writeModel(read, at('whole.onnx'), { externalData: 'never' })).data).toBeUndefined();
    const whole = await readModel(at('whole.onnx'));
    expect(floatsOf(whole.graph.initializers[0]!)).toEqual(floatsOf(weight()));
  });

  it('of more than 2 GiB are refused without external data, before anything is written', async () => {
    const huge = {
      storage: 'raw' as const,
      byteLength: 2 ** 31,
      bytes: () => new Uint8Array(),
      read: () => w,
    };
    const tensor = { ...w, dims: [2 ** 31], data: huge as unknown as Tensor['data'] };
    await expect(writeModel(withWeights(tensor), at('m.onnx'), { externalData: 'never' })).rejects.toThrow(
      'protobuf ends at 2 GiB',
    );
    expect(readdirSync(folder)).toEqual([]);
    expect(layOutExternal(withWeights(tensor), 'm.onnx')!.byteLength).toBe(2 ** 31);
  });
});
