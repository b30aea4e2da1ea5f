import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { root, scratch } from '../cli/run.js';
import { hiddenTypes } from './reached-types.js';

const folder = scratch();

/** What the compiler says of a program that uses the built package, with the declarations of all packages checked. */
function compile(text: string): string[] {
  mkdirSync(join(folder, 'node_modules'), { recursive: true });
  const link = join(folder, 'node_modules', 'onnx-prune');
  if (!ts.sys.directoryExists(link)) symlinkSync(root, link, 'dir');
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  const file = join(folder, 'consumer.ts');
  writeFileSync(file, text);
  const program = ts.createProgram([file], {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    skipLibCheck: false,
    types: [],
    noEmit: true,
  });
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '));
}

it(
  'a consumer compiles without types of its own, and all declarations are sound',
  { timeout: 300_000 },
  () => {
    const text = `
    import { loadModel, prune, type PruneOptions, type PruneReport, type Plan, type Repair } from 'onnx-prune';
    const options: PruneOptions = { budget: { parameters: '50%' }, data: { path: 'x.npz', limit: 64 }, signal: AbortSignal.timeout(1) };
    const repair: Repair = 'statistics';
    const { plan, report } = await prune(await loadModel('model.onnx'), { ...options, reconstruct: { repair } });
    const kept: Plan = plan;
    const { macs }: PruneReport = report;
    macs.dense.toFixed(kept.kept.size);`;
    expect(compile(text)).toEqual([]);
  },
);

it('its mistakes are found by the compiler', { timeout: 300_000 }, () => {
  const wrong = `
    import { prune } from 'onnx-prune';
    await prune('model.onnx', { roundto: 8 });
    await prune('model.onnx', { ratio: '0.5' });
    await prune('model.onnx', { budget: 0.5 });
    await prune('model.onnx', { normalization: 'gausian' });`;
  const found = compile(wrong);
  expect(found).toHaveLength(4);
  expect(found[0]).toMatch(/'roundto' does not exist.*did you mean.*'roundTo'|'roundto' does not exist/);
});

it('every type that the exports reach is exported', { timeout: 300_000 }, () => {
  expect(hiddenTypes(root)).toEqual([]);
});
