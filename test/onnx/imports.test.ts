import { describe, expect, it } from 'vitest';
import { decodeModel, prune } from '../../src/index.js';
import { encodeModel } from '../../src/onnx/codec.js';
import { floatTensor } from '../../src/onnx/values.js';
import { model, node, value } from '../shapes/build-model.js';

const ramp = (name: string, dims: readonly number[]) =>
  floatTensor(name, Float32Array.from({ length: dims.reduce((a, b) => a * b) }, (_, i) => Math.sin(i)), dims); // prettier-ignore

/** A gate of onnxruntime's own domain between two layers. */
function gated(
  activation: string,
  irVersion = 8,
  imports: readonly { domain: string; version: number }[] = [],
) {
  const given = model({
    inputs: [value('x', ['n', 4])],
    outputs: [value('y')],
    initializers: [ramp('a', [4, 8]), ramp('b', [8, 3])],
    nodes: [
      node('com.microsoft:FusedMatMul', ['x', 'a'], ['h']),
      node(activation, ['h'], ['r'], {}, 'gate'),
      node('com.microsoft:FusedMatMul', ['r', 'b'], ['y']),
    ],
  });
  const opsets = new Map(imports.map(({ domain, version }) => [domain, version]));
  return encodeModel({ ...given, irVersion, opsets, opsetImports: imports });
}

describe('opset imports', () => {
  it('that are missing are added, with a warning', async () => {
    const file = gated('com.microsoft:QuickGelu', 8, [{ domain: '', version: 17 }]);
    const { report, model: pruned } = await prune(file, { ratio: 0.5 });
    expect(report.verification?.passed).toBe(true);
    expect(report.warnings).toEqual([
      "the model doesn't import domain 'com.microsoft', which node '' (FusedMatMul) is of; version 1 was added",
    ]);
    const again = decodeModel(encodeModel(pruned));
    expect(again.opsetImports.map(({ domain, version }) => [domain, version])).toEqual([['', 17], ['com.microsoft', 1]]); // prettier-ignore
  });

  it('of the default domain are not needed without nodes of it', async () => {
    const file = gated('com.microsoft:QuickGelu', 8, [{ domain: 'com.microsoft', version: 1 }]);
    const { report } = await prune(file, { ratio: 0.5 });
    expect(report.verification?.passed).toBe(true);
    expect(report.warnings).toEqual([]);
  });

  it.each([
    [8, 'invalid-file', "node 'gate' (Relu) is of, so what its ops mean is not known"],
    [2, 'unsupported', 'a model of ir version 2 is of opset 1, which is older than 7'],
  ])('of the default domain are not guessed (ir version %i)', async (irVersion, code, message) => {
    const file = gated('Relu', irVersion, [{ domain: 'com.microsoft', version: 1 }]);
    await expect(prune(file, { ratio: 0.5 })).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message) as string,
    });
  });
});
