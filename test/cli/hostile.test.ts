/** Files and streams that are not what a user would give, and the exit code that each has. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const main = new URL('../../dist/cli/main.js', import.meta.url).pathname;
const cases = new URL('../cases/', import.meta.url).pathname;
const model = `${cases}names/proto_h.onnx`;

let folder: string;
let server: Server;
const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'onnx-prune-hostile-'));
  execFileSync('mkfifo', [at('pipe')]);
  symlinkSync(at('pipe'), at('link-to-pipe'));
  server = createServer();
  await new Promise<void>((resolve) => server.listen(at('socket'), resolve));
  symlinkSync(at('socket'), at('link-to-socket'));
});

afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

/** Under a shell, with whatever it redirects or limits; never longer than a hang would take. */
function shell(command: string) {
  const { status, stdout, stderr } = spawnSync('bash', ['-c', command.replace('prune', `node '${main}'`)], {
    encoding: 'utf8',
    timeout: 60_000,
    cwd: folder,
  });
  return { status, stdout, stderr };
}

const prune = (...args: readonly string[]) => {
  const { status, stdout, stderr } = spawnSync('node', [main, ...args], {
    encoding: 'utf8',
    timeout: 60_000,
    cwd: folder,
  });
  return { status, stdout, stderr };
};

describe('a place to write to', () => {
  const nodes = ['pipe', 'link-to-pipe', 'socket', 'link-to-socket'];

  const options = ['--plan', '--json', '--report'];

  it.each([...nodes.map((node) => [node, '-o']), ...options.map((option) => ['link-to-pipe', option])])(
    'that is a %s is refused for %s, and stays what it was',
    (node, option) => {
      const before = lstatSync(at(node));
      const others = option === '-o' ? [] : ['-o', at('never.onnx')];
      const { status, stderr, stdout } = prune(model, '--ratio', '0.5', ...others, option, at(node));
      expect([status, stdout]).toEqual([8, '']);
      expect(stderr).toMatch(/^error: can't write '.*': it is a (pipe|socket); name a file\n$/);
      expect(lstatSync(at(node)).ino).toBe(before.ino);
      expect(existsSync(at('never.onnx'))).toBe(false);
    },
  );

  it('that is a device is refused, and stays what it was', (context) => {
    const node = at('device');
    // A node of our own, like /dev/null; only root may make one.
    if (spawnSync('mknod', [node, 'c', '1', '3']).status !== 0) context.skip();
    symlinkSync(node, at('link-to-device'));
    for (const path of [node, at('link-to-device')]) {
      const { status, stderr } = prune(model, '--ratio', '0.5', '-o', path);
      expect(status).toBe(8);
      expect(stderr).toContain('it is a device');
      expect(lstatSync(node).isCharacterDevice()).toBe(true);
    }
  });
});

describe('a file to read', () => {
  const target = ['-o', join(tmpdir(), 'never.onnx')];

  it.each([
    ['--config', 'pipe', 3],
    ['--from-plan', 'pipe', 3],
    ['--config', 'socket', 3],
    ['--data', 'pipe', 3],
    ['--data', 'link-to-pipe', 3],
  ])('%s that is a %s is refused without waiting for it', (option, node, code) => {
    const more = option === '--from-plan' ? [] : ['--ratio', '0.5'];
    const { status, stderr } = prune(model, ...more, ...target, option, at(node));
    expect(status).toBe(code);
    expect(stderr).toMatch(/it is a (pipe|socket)/);
  });

  it('that a proof reads its plan from is a file too', () => {
    expect(prune('verify', model, model, '--plan', at('pipe'))).toMatchObject({ status: 3 });
  });

  it.each([
    ['steps without end', ['--config', `${cases}data/cf_steps.json`], 2, /steps/],
    [
      'elements of a type that is no type',
      ['--ratio', '0.5', '--data', `${cases}data/ctor.npy`],
      3,
      /constructor/,
    ],
  ])('with %s is refused', (_, args, code, message) => {
    const { status, stderr } = prune(model, ...target, ...args);
    expect(status).toBe(code);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  it('with a header that is not aligned is read as NumPy reads it', () => {
    const data = `${cases}data/misaligned_header.npy`;
    expect(prune(model, '--ratio', '0.5', '-o', at('aligned.onnx'), '--data', data)).toMatchObject({
      status: 0,
    });
  });

  it('that is nested without end is refused', () => {
    writeFileSync(at('deep.json'), '['.repeat(200_000) + ']'.repeat(200_000));
    const { status, stderr } = prune(model, ...target, '--from-plan', at('deep.json'));
    expect([status, stderr.split('\n').length]).toEqual([3, 2]);
    expect(stderr).toContain('nested more than 100 levels deep');
  });

  it('that is a plan of no model is refused', () => {
    writeFileSync(at('anonymous.json'), JSON.stringify({ version: 1, model: {}, factors: [] }));
    const { status, stderr } = prune(model, ...target, '--from-plan', at('anonymous.json'));
    expect(status).toBe(2);
    expect(stderr).toContain('which model it was made for');
  });

  it.each([
    ['coverage/zero_size_dim', 4],
    ['names/ctor_in', 0],
    ['names/proto_h', 0],
    ['names/badutf8_w1', 0],
    ['names/ansi_all', 0],
  ])('%s has exit code %i', (name, code) => {
    const { status, stderr } = prune(`${cases}${name}.onnx`, '--ratio', '0.5', '-o', at('o.onnx'));
    expect([stderr.split('\n').length, status]).toEqual([code === 0 ? 1 : 2, code]);
  });
});

describe('names in what is printed', () => {
  /** The file with other names that a terminal would act on. */
  const withNames = (from: string, to: Uint8Array): string => {
    const bytes = readFileSync(`${cases}names/ansi_all.onnx`).toString('latin1');
    const name = at('named.onnx');
    writeFileSync(name, Buffer.from(bytes.replaceAll(from, Buffer.from(to).toString('latin1')), 'latin1'));
    return name;
  };
  const raw = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/u; // eslint-disable-line no-control-regex
  const red = '\u001b[2J\u001b[31m';

  it.each([
    ['escapes', new TextEncoder().encode(red)],
    ['bidirectional controls', new TextEncoder().encode('\u202Ea\u2066bc')],
    ['controls of eight bits', new TextEncoder().encode('\u009b31mabcd')],
  ])('are shown escaped: %s', (_, to) => {
    // Of the same length, so that the file stays one.
    expect(to).toHaveLength(red.length);
    const file = withNames(red, to);
    for (const args of [
      ['inspect', file],
      [file, '--ratio', '0.5', '-o', at('o.onnx'), '--json'],
      [file, '--ratio', '0.5', '-o', at('o.onnx'), '--ignore', '*'],
      [file, '--ratio', '0.5', '-o', at('o.onnx'), '--shape', 'nothing:1'],
    ]) {
      const { stdout, stderr, status } = prune(...args);
      expect(status).not.toBe(1);
      expect(`${stdout}${stderr}`).not.toMatch(raw);
    }
    expect(prune('inspect', file).stdout).toMatch(/\\u\{(1b|202e|9b)\}/);
  });
});

describe('streams', () => {
  it.runIf(existsSync('/dev/full'))('a full stdout is told, with the code of what cannot be written', () => {
    const { status, stderr } = shell(`prune inspect '${model}' > /dev/full`);
    expect(status).toBe(8);
    expect(stderr).toMatch(/^error: can't write to stdout \(ENOSPC\); .*\n$/);
  });

  it.runIf(existsSync('/dev/full'))('a full stderr changes no exit code', () => {
    expect(shell(`prune missing.onnx --ratio 0.5 -o o.onnx 2> /dev/full`).status).toBe(3);
  });

  it.each(['2>&-', '<&- >&- 2>&-'])('closed (%s) change no exit code', (closed) => {
    expect(shell(`prune inspect '${model}' ${closed}`).status).toBe(0);
    expect(shell(`prune missing.onnx --ratio 0.5 -o o.onnx ${closed}`).status).toBe(3);
  });

  it('a reader that leaves early is no error', () => {
    expect(shell(`set -o pipefail; prune inspect '${model}' | head -1`).status).toBe(0);
  });

  it.each([20, 24])('%i file descriptors are enough, or the error says so in a line', (limit) => {
    const { status, stderr } = shell(`ulimit -n ${limit}; prune '${model}' --ratio 0.5 -o few.onnx`);
    expect(stderr).not.toMatch(/\n\s+at /);
    if (status !== 0) expect(stderr).toMatch(/^error: .*\n$/);
  });
});

it('a file of onnxruntime in its own format is named as such', () => {
  writeFileSync(
    at('model.ort'),
    Buffer.concat([Buffer.from([28, 0, 0, 0]), Buffer.from('ORTM'), Buffer.alloc(64)]),
  );
  const { status, stderr } = prune('inspect', at('model.ort'));
  expect(status).toBe(3);
  expect(stderr).toContain("onnxruntime's own format (.ort)");
});

it('what is interrupted while the models are measured has written nothing', async () => {
  copyFileSync(model, at('dense.onnx'));
  const { spawn } = await import('node:child_process');
  const args = [
    main,
    at('dense.onnx'),
    '--ratio',
    '0.5',
    '-o',
    at('late.onnx'),
    '--bench',
    '--plan',
    at('late.json'),
  ];
  const child = spawn('node', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
  await new Promise((resolve) => setTimeout(resolve, 1500));
  child.kill('SIGINT');
  const code = await ended;
  // A fast machine may be done.
  expect(code === 130 ? existsSync(at('late.onnx')) : code === 0 && existsSync(at('late.onnx'))).toBe(
    code === 0,
  );
  if (code === 130) expect(stderr).toMatch(/abort/);
});
