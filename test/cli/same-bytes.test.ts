import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { prune, saveModel, type PruneOptions } from '../../src/index.js';
import { root, run, scratch, trained } from './run.js';

const folder = scratch();
const path = join(root, 'models', 'data', 'train2048-images-idx3-ubyte.gz');
const onData = ['--data', path, '--limit', '64', '--mean', '0.286', '--std', '0.353'];
const data = { path, limit: 64, mean: 0.286, std: 0.353 };

it.each<{
  what: string;
  name: string;
  options: PruneOptions;
  flags: string[];
  cells: string[];
  cell: string;
}>([
  {
    what: 'a ratio of plain magnitudes',
    name: 'mobilenet_se',
    options: { ratio: 0.3 },
    flags: ['--ratio', '30%'],
    cells: ['--ratios', '0.3'],
    cell: 'magnitude_ratio-0.3_sliced',
  },
  {
    what: 'a ratio on data, where weights are solved for',
    name: 'vgg8bn',
    options: { ratio: 0.3, data, seed: 7 },
    flags: ['--ratio', '0.3', '--seed', '7', ...onData],
    cells: ['--ratios', '0.3', '--seed', '7', ...onData],
    cell: 'obspa_ratio-0.3_reconstructed',
  },
  {
    what: 'a budget on data',
    name: 'lstm2',
    options: { budget: { parameters: '60%' }, data },
    flags: ['--budget', 'parameters=60%', ...onData],
    cells: ['--budgets', 'parameters=60%', ...onData],
    cell: 'obspa_parameters-60pc_reconstructed',
  },
])('$what: the library, the command and a sweep give the same bytes', { timeout: 600_000 }, async (given) => {
  const { name, options, flags, cells, cell } = given;
  const model = trained(name);
  const at = (file: string): string => join(folder, `${name}-${file}`);
  const { model: pruned } = await prune(model, options);
  await saveModel(pruned, at('library.onnx'));
  const command = await run([model, ...flags, '-q', '-o', at('command.onnx')]);
  expect(command).toEqual({ code: 0, stdout: '', stderr: '' });
  const sweep = await run([
    'sweep',
    model,
    ...cells,
    '--models',
    '--eval-data',
    'random',
    '-q',
    '-o',
    at('sweep'),
  ]);
  expect(sweep).toEqual({ code: 0, stdout: '', stderr: '' });
  const bytes = readFileSync(at('library.onnx'));
  expect(readFileSync(at('command.onnx')).equals(bytes)).toBe(true);
  expect(readFileSync(join(at('sweep'), `cell-${cell}.onnx`)).equals(bytes)).toBe(true);
  expect(bytes.length).toBeLessThan(readFileSync(model).length);
});
