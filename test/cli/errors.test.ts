import onnxProto from 'onnx-proto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run, scratch, trained, type Outcome } from './run.js';

const { onnx } = onnxProto;
const folder = scratch();
const output = join(folder, 'out.onnx');
const bytes = readFileSync(trained('resnet20'));

/** One line that names the thing and ends with a remedy, the right exit code, nothing on stdout, nothing written. */
function expectRefusal(
  { code, stdout, stderr }: Outcome,
  expected: number | number[],
  message: RegExp,
): void {
  expect(stderr).toMatch(/^error: [^\n]+\n$/);
  expect(stderr).toMatch(message);
  expect(stdout).toBe('');
  expect([expected].flat()).toContain(code);
  expect(existsSync(output)).toBe(false);
  expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
}

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

type Proto = ReturnType<typeof onnx.ModelProto.decode>;

function changed(name: string, change: (model: Proto) => void): string {
  const model = onnx.ModelProto.decode(bytes);
  change(model);
  return file(name, onnx.ModelProto.encode(model).finish());
}

function externalAt(location: string): (model: Proto) => void {
  return (model) => {
    const tensor = model.graph!.initializer!.find(({ dims }) => dims!.length === 4)!;
    Object.assign(tensor, {
      rawData: new Uint8Array(),
      dataLocation: 1,
      externalData: [
        { key: 'location', value: location },
        { key: 'offset', value: '0' },
        { key: 'length', value: '576' },
      ],
    });
  };
}

describe('a model that', () => {
  const cases: readonly (readonly [
    what: string,
    path: () => string,
    code: number | number[],
    message: RegExp,
  ])[] = [
    ['is missing', () => join(folder, 'missing.onnx'), 3, /missing\.onnx' does not exist; check the path/],
    ['is empty', () => file('empty.onnx', ''), 3, /is empty/],
    ['is truncated', () => file('half.onnx', bytes.subarray(0, bytes.length / 2)), 3, /damaged.*again/],
    ['is not onnx', () => file('text.onnx', 'once upon a time'), 3, /not an onnx model/],
    ['is a folder', () => folder, 3, /is (a folder|no file)/],
    [
      'has an unknown opset',
      () => changed('opset.onnx', (m) => (m.opsetImport[0]!.version = 99)),
      [3, 7],
      /pset 99/,
    ],
    [
      'has external data outside its folder',
      () => changed('outside.onnx', externalAt('../secret.bin')),
      3,
      /'\.\.\/secret\.bin' leaves the model's folder; move it/,
    ],
    [
      'has external data past the end of its file',
      () => {
        file('weights.bin', new Uint8Array(100));
        return changed('past.onnx', externalAt('weights.bin'));
      },
      3,
      /'weights\.bin' has 100 bytes, but bytes 0 to 576/,
    ],
    [
      'has a weight whose size overflows',
      () => changed('overflow.onnx', (m) => (m.graph!.initializer![0]!.dims = [2 ** 31, 2 ** 31, 3, 3])),
      3,
      /more elements than fit in memory/,
    ],
    [
      'has an input whose size overflows',
      () =>
        changed('huge.onnx', (m) => {
          const { dim } = m.graph!.input![0]!.type!.tensorType!.shape!;
          dim![2]!.dimValue = 2 ** 40;
          dim![3]!.dimValue = 2 ** 40;
        }),
      3,
      /input 'input' .* more elements than can be fed; give a smaller shape/,
    ],
  ];
  it.each(cases)('%s', async (_what, path, code, message) => {
    expectRefusal(await run([path(), '--ratio', '0.5', '-o', output]), code, message);
  });
});

describe('an option that', () => {
  const model = trained('resnet20');
  const cases: readonly (readonly [what: string, args: readonly string[], code: number, message: RegExp])[] =
    [
      ['is a ratio of 1', ['--ratio', '1'], 2, /invalid --ratio: 1; use a number in \[0, 1\)/],
      ['is a negative ratio', ['--ratio=-0.1'], 2, /invalid --ratio: -0\.1/],
      ['is no number', ['--ratio', 'half'], 2, /invalid --ratio: half/],
      ['is an empty number', ['--ratio', ''], 2, /invalid --ratio: ;/],
      ['is unknown', ['--rato', '0.5'], 2, /unknown option '--rato' \(Did you mean --ratio\?\)/],
      ['is missing', [], 2, /no target; give --ratio, --budget, --depth or --from-plan/],
      [
        'excludes another',
        ['--ratio', '0.5', '--budget', 'macs=50%'],
        2,
        /--ratio and --budget exclude each other/,
      ],
      [
        'names an unknown scope',
        ['--ratio', '0.5', '--scope', 'locl'],
        2,
        /invalid --scope: locl; use one of local/,
      ],
      ['names an unknown cost', ['--budget', 'flops=50%'], 2, /flops=50%.*macs/],
      ['holds a bad limit', ['--budget', 'macs=lots'], 2, /invalid --budget: macs=lots/],
      [
        'holds a bad shape',
        ['--ratio', '0.5', '--shape', 'input=1,x'],
        2,
        /invalid --shape: input=1,x; use a whole/,
      ],
      ['names no input', ['--ratio', '0.5', '--shape', 'inptu=1,1,28,28'], 2, /inptu/],
      ['matches nothing', ['--ratio', '0.5', '--ignore', 'no.such.layer'], 2, /'no\.such\.layer' matches no/],
      ['cannot be met', ['--budget', 'params=10'], 5, /budget params=10 can't be met/],
      ['leaves nothing', ['--ratio', '0.5', '--only', '/fc/Gemm', '--ignore', '/fc/Gemm'], 4, /./],
      [
        'names a missing plan',
        ['--from-plan', join(folder, 'none.json')],
        3,
        /can't read .*none\.json.*check the path/,
      ],
      ['names a missing config', ['--config', join(folder, 'none.json')], 3, /can't read/],
      ['names missing data', ['--ratio', '0.5', '--data', join(folder, 'none.npz')], 3, /can't read data/],
    ];
  it.each(cases)('%s', async (_what, args, code, message) => {
    expectRefusal(await run([model, '-o', output, ...args]), code, message);
  });

  it('names a config with an unknown key', async () => {
    const config = file('config.json', '{"rato": 0.5}');
    expectRefusal(
      await run([model, '-o', output, '--config', config]),
      2,
      /unknown key 'rato' in '.*config\.json'; use ratio/,
    );
  });

  it('names a config with a wrong value', async () => {
    const config = file('config.json', '{"ratio": "0.5"}');
    expectRefusal(
      await run([model, '-o', output, '--config', config]),
      2,
      /invalid 'ratio' in .*: '0\.5'; use a number/,
    );
  });

  it('names a config that is not json', async () => {
    const config = file('config.json', '{ratio: 0.5}');
    expectRefusal(await run([model, '-o', output, '--config', config]), 3, /is not json/);
  });
});

describe('an output that', () => {
  const model = trained('resnet20');
  const prune = (path: string, ...more: string[]): Promise<Outcome> =>
    run([model, '--ratio', '0.5', '-o', path, ...more]);

  it('is in a missing folder', async () => {
    expectRefusal(
      await prune(join(folder, 'no', 'out.onnx')),
      8,
      /its folder does not exist; create the folder/,
    );
  });

  it('is a folder', async () => {
    mkdirSync(join(folder, 'taken'), { recursive: true });
    expectRefusal(await prune(join(folder, 'taken')), 8, /it is a folder; name a file/);
  });

  it('is the input', async () => {
    const own = file('own.onnx', bytes);
    expectRefusal(await run([own, '--ratio', '0.5', '-o', own]), 2, /is the input; use another path/);
    expect(readFileSync(own).equals(bytes)).toBe(true);
  });

  it('is missing', async () => {
    expectRefusal(await run([model, '--ratio', '0.5']), 2, /no output; give -o FILE, or --dry-run/);
  });

  it('is named twice', async () => {
    const json = join(folder, 'a.json');
    expectRefusal(await prune(output, '--json', json, '--plan', json), 2, /is the file of --plan/);
  });

  it('is a report named as a model', async () => {
    expectRefusal(await prune(output, '--json', join(folder, 'b.onnx')), 2, /is named as a model/);
  });
});

it('a command that lacks an argument says which', async () => {
  const { code, stderr } = await run(['inspect']);
  expect({ code, stderr }).toEqual({ code: 2, stderr: "error: missing required argument 'model'\n" });
});

it('a proof that fails is exit code 6', async () => {
  const [model, plan] = [trained('resnet20'), join(folder, 'plan.json')];
  expect((await run([model, '--ratio', '0.5', '--dry-run', '--no-verify', '-q', '--plan', plan])).code).toBe(
    0,
  );
  const { code, stdout, stderr } = await run(['verify', model, model, '--plan', plan]);
  expect(code).toBe(6);
  expect(stdout).toMatch(/^proof +failed/);
  expect(stderr).toMatch(/^error: [^\n]+prune it again\n$/);
});
