import { fork } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { expect, it } from 'vitest';
import { root, run, scratch, trained } from './run.js';

const folder = scratch();
const at = (name: string): string => join(folder, name);
const json = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8')) as unknown;

interface Report {
  readonly written?: { readonly path: string; readonly bytes: number };
  readonly report: {
    readonly parameters: { readonly dense: number; readonly pruned: number };
    readonly groups: readonly { readonly id: string; readonly size: number; readonly kept: number }[];
    readonly verification?: { readonly passed: boolean; readonly compared: number };
  };
  readonly evaluation?: { readonly dense: { readonly accuracy: { readonly top1: number } } };
}

it.each(['resnet20', 'vit_tiny', 'lstm2', 'mobilenet_se'])('prunes and proves %s', async (name) => {
  const [output, report] = [at(`${name}.onnx`), at(`${name}.json`)];
  const outcome = await run([trained(name), '--ratio', '0.5', '-o', output, '--json', report]);
  expect(outcome).toMatchObject({ code: 0, stderr: '' });
  expect(outcome.stdout).toMatch(/^parameters .*%$/m);
  expect(outcome.stdout).toMatch(/^proof +passed: \d+ tensors compared/m);
  const { written, report: figures } = json(report) as Report;
  expect(written).toEqual({ path: output, bytes: readFileSync(output).length });
  expect(figures.parameters.pruned).toBeLessThan(0.8 * figures.parameters.dense);
  expect(figures.verification).toMatchObject({ passed: true });
  const session = await ort.InferenceSession.create(output);
  const input = new ort.Tensor('float32', new Float32Array(2 * 28 * 28), [2, 1, 28, 28]);
  const { logits } = await session.run({ input });
  expect(logits!.dims).toEqual([2, 10]);
  await session.release();
});

it('gives the same bytes for the same input, options and seed, and others for another seed', async () => {
  const prune = async (output: string, seed: string): Promise<Buffer> => {
    const args = [
      trained('vgg8bn'),
      '--ratio',
      '0.3',
      '--criterion',
      'random',
      '--seed',
      seed,
      '--no-verify',
    ];
    expect(await run([...args, '-q', '-o', at(output)])).toEqual({ code: 0, stdout: '', stderr: '' });
    return readFileSync(at(output));
  };
  const first = await prune('a.onnx', '7');
  expect((await prune('b.onnx', '7')).equals(first)).toBe(true);
  expect((await prune('c.onnx', '8')).equals(first)).toBe(false);
});

it('refuses a provider that is not there before it prunes', async () => {
  const output = at('cuda.onnx');
  const args = ['--ratio', '0.5', '-o', output, '--bench', '--provider', 'cuda'];
  const { code, stdout, stderr } = await run([trained('resnet20'), ...args]);
  expect([code, stdout]).toEqual([7, '']);
  expect(stderr).toMatch(/^error: .*ONNXRUNTIME_NODE_INSTALL=cuda12.*\n$/);
  expect(existsSync(output)).toBe(false);
});

it('repeats and verifies a plan', async () => {
  const [model, plan] = [trained('mobilenet_se'), at('plan.json')];
  const first = ['--ratio', '0.4', '--scope', 'global', '--plan', plan, '-o', at('first.onnx')];
  expect((await run([model, ...first])).code).toBe(0);
  expect((await run([model, '--from-plan', plan, '-o', at('again.onnx')])).code).toBe(0);
  expect(readFileSync(at('again.onnx')).equals(readFileSync(at('first.onnx')))).toBe(true);
  const proof = await run(['verify', model, at('first.onnx'), '--plan', plan]);
  expect(proof).toMatchObject({ code: 0, stderr: '' });
  expect(proof.stdout).toMatch(/^proof +passed: \d+ tensors compared/);
  const other = await run([trained('resnet20'), '--from-plan', plan, '-o', at('other.onnx')]);
  expect(other).toMatchObject({ code: 2, stdout: '' });
  expect(other.stderr).toMatch(/the plan was made for another model/);
  expect(existsSync(at('other.onnx'))).toBe(false);
});

it('removes residual branches, then channels, and proves both from the plan', async () => {
  const [model, plan, output] = [trained('vit_tiny'), at('depth.json'), at('depth.onnx')];
  const data = ['--data', 'random', '--limit', '8'];
  const args = ['--depth', '0.25', '--depth-unit', 'block', '--depth-score', 'similarity', '--ratio', '0.2'];
  const first = await run([model, ...args, ...data, '--no-reconstruct', '--plan', plan, '-o', output]);
  expect(first).toMatchObject({ code: 0, stderr: '' });
  expect(first.stdout).toMatch(
    /^depth +2 of 8 residual branches removed by similarity of blocks on .*Add_1$/m,
  );
  const proof = await run(['verify', model, output, '--plan', plan]);
  expect(proof).toMatchObject({ code: 0, stderr: '' });
  expect((await run([model, '--from-plan', plan, '-o', at('depth-again.onnx')])).code).toBe(0);
  expect(readFileSync(at('depth-again.onnx')).equals(readFileSync(output))).toBe(true);
});

it('writes no model in a dry run, but the report and the plan that were asked for', async () => {
  const inside = at('dry');
  mkdirSync(inside);
  const outcome = await run(
    [
      trained('resnet20'),
      '--ratio',
      '0.5',
      '--dry-run',
      '-o',
      'out.onnx',
      '--json',
      'r.json',
      '--plan',
      'p.json',
    ],
    inside,
  );
  expect(outcome.code).toBe(0);
  expect(outcome.stdout).toMatch(/^written +nothing$/m);
  expect(outcome.stdout).toMatch(/^proof +passed/m);
  expect(readdirSync(inside).sort()).toEqual(['p.json', 'r.json']);
});

it('takes options from a file, and flags win over it', async () => {
  const config = at('config.json');
  const groups = async (...flags: string[]): Promise<readonly number[]> => {
    const args = [trained('resnet20'), '--config', config, ...flags, '--dry-run', '--json', '-'];
    const { code, stdout, stderr } = await run(args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return (JSON.parse(stdout) as Report).report.groups.map(({ kept, size }) => kept / size);
  };
  writeFileSync(config, JSON.stringify({ ratio: 0.75, verify: 'none', minChannels: 1 }));
  expect(new Set(await groups())).toEqual(new Set([0.25]));
  expect(new Set(await groups('--ratio', '0.5'))).toEqual(new Set([0.5]));
  // A target among the flags takes the place of the file's.
  expect(Math.max(...(await groups('--budget', 'macs=90%')))).toBeGreaterThan(0.8);
  expect(await groups('--group', 'g1=0.5')).toEqual(expect.arrayContaining([0.25, 0.5]));
});

it('evaluates both models on data', async () => {
  const data = join(root, 'models', 'data', 't10k-images-idx3-ubyte.gz');
  const options = ['--data', data, '--mean', '0.2860', '--std', '0.3530', '--limit', '256', '--no-verify'];
  const { code, stdout } = await run([
    trained('resnet20'),
    '--ratio',
    '0.1',
    '--dry-run',
    '--json',
    ...options,
  ]);
  expect(code).toBe(0);
  const { evaluation } = JSON.parse(stdout) as Report;
  expect(evaluation!.dense.accuracy.top1).toBeGreaterThan(0.88);
  const alone = await run(['eval', trained('resnet20'), ...options.slice(0, -1)]);
  expect(alone.stdout).toMatch(/^top-1 +9\d\.\d\d % \(\d+ of 256\)$/m);
});

it('inspects: text, JSON and both graphs', async () => {
  const model = trained('vit_tiny');
  const text = await run(['inspect', model]);
  expect(text).toMatchObject({ code: 0, stderr: '' });
  expect(text.stdout).toMatch(/^coverage .*with --residual-stream/m);
  expect(text.stdout).toMatch(/^residual branch +block +parameters +MACs$/m);
  expect(text.stdout).toMatch(/^b7 \/b\/b\.3\/Add_1 +3 +74\.4 k +3\.69 M$/m);
  const { stdout } = await run(['inspect', model, '--json']);
  const { groups } = JSON.parse(stdout) as { groups: { id: string; members: { notation: string }[] }[] };
  expect(
    groups.some(({ members }) => members.some(({ notation }) => /^\(#3 g\d+ g\d+\)$/.test(notation))),
  ).toBe(true);
  const coupling = await run(['inspect', model, '-q', '--dot', at('c.dot')]);
  expect(coupling).toEqual({ code: 0, stdout: '', stderr: '' });
  expect(readFileSync(at('c.dot'), 'utf8')).toMatch(/^graph "coupling" \{/);
  await run(['inspect', model, '-q', '--graph', 'computational', '--dot', at('g.json')]);
  expect(json(at('g.json'))).toMatchObject({ options: { directed: true } });
});

it('measures models in turn', async () => {
  const { code, stdout } = await run([
    'bench',
    trained('resnet20'),
    trained('lstm2'),
    '--runs',
    '5',
    '--json',
  ]);
  expect(code).toBe(0);
  const { rounds, models } = JSON.parse(stdout) as { rounds: number; models: { samples: number[] }[] };
  expect(rounds).toBe(5);
  expect(models.map(({ samples }) => samples.length)).toEqual([5, 5]);
});

it(
  'stops at the first interrupt with exit code 130 and leaves nothing behind',
  { timeout: 600_000 },
  async () => {
    const inside = at('interrupted');
    mkdirSync(inside);
    copyFileSync(trained('vgg8bn'), join(inside, 'in.onnx'));
    const program = join(root, 'dist', 'cli', 'main.js');
    // As many rounds as no machine gets through.
    const child = fork(program, ['bench', 'in.onnx', '--runs', '1000000000', '--json', 'r.json'], {
      cwd: inside,
      silent: true,
    });
    let stderr = '';
    child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    // The first message says that work has begun: a signal before the handler is there would end the process without ours.
    await once(child, 'message');
    child.kill('SIGINT');
    const [code] = (await once(child, 'close')) as [number | null];
    expect(stderr).toBe('error: aborted\n');
    expect(code).toBe(130);
    expect(readdirSync(inside)).toEqual(['in.onnx']);
  },
);
