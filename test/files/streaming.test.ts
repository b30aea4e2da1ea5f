import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';

import { prune } from '../../src/api.js';
import { readModel, writeModel } from '../../src/files/model-file.js';
import type { Model } from '../../src/onnx/model.js';
import { allTensors } from '../../src/onnx/walk.js';
import { root, scratch } from '../cli/run.js';

const folder = scratch();
const at = (name: string) => join(folder, name);

/** A small Llama-like model, with the script of the benchmark. */
function generate(name: string, ...more: string[]): void {
  const script = join(root, 'scripts', 'llama.mjs');
  execFileSync(process.execPath, [script, '--hidden', '64', '-o', at(name), ...more]);
}

const isSame = (a: string, b: string) => Buffer.compare(readFileSync(at(a)), readFileSync(at(b))) === 0;

beforeAll(() => {
  generate('external.onnx', '--type', 'fp32');
  generate('inline.onnx', '--type', 'fp32', '--inline');
});

describe('a model that is streamed', () => {
  it('comes out byte by byte as one that is held in memory', async () => {
    const sources: Record<string, Model> = {
      held: await readModel(at('inline.onnx'), Infinity),
      ranges: await readModel(at('inline.onnx'), 0),
      external: await readModel(at('external.onnx')),
    };
    for (const [name, model] of Object.entries(sources)) {
      const storages = [...allTensors(model)].map(({ data }) => data.storage);
      expect(storages.includes('external')).toBe(name === 'external');
      const { model: pruned } = await prune(model, { ratio: 0.3, verify: 'shapes' });
      await writeModel(pruned, at(`${name}.out.onnx`), { externalData: 'never' });
      await writeModel(pruned, at(`${name}.apart.onnx`), { externalData: 'always' });
    }
    for (const name of ['ranges', 'external']) {
      expect(isSame(`${name}.out.onnx`, 'held.out.onnx'), name).toBe(true);
      expect(isSame(`${name}.apart.onnx.data`, 'held.apart.onnx.data'), name).toBe(true);
    }
  });

  it.each([
    ['fp32', []],
    ['fp16', []],
    ['fp32', ['--cache']],
  ] as const)('is proved on every value: %s %s', async (type, more) => {
    generate('m.onnx', '--type', type, ...more);
    const { report } = await prune(at('m.onnx'), { ratio: 0.5, verify: 'full' });
    expect(report.verification!.passed).toBe(true);
    expect(report.verification!.compared).toBeGreaterThan(100);
    expect(report.groups.filter(({ size, kept }) => kept < size).length).toBeGreaterThan(1);
  });
});
