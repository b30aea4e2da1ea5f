import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';

import { decodeModel } from '../../src/onnx/codec.js';
import type { Model } from '../../src/onnx/model.js';
import { elementCount } from '../../src/onnx/tensor.js';
import { floatsOf, floatTensor } from '../../src/onnx/values.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { pruneAtRandom } from '../oracles/pruned.js';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime();
});

const trained = async (name: string): Promise<Model> =>
  decodeModel(await readFile(new URL(`../../models/trained/${name}.onnx`, import.meta.url)));

/** A runtime that notes the largest model it was given. */
function counting(): { runtime: Runtime; readonly largest: number } {
  let largest = 0;
  const load: Runtime['load'] = (bytes, options) => {
    largest = Math.max(largest, bytes.length);
    return runtime.load(bytes, options);
  };
  return {
    runtime: Object.assign(Object.create(runtime) as Runtime, { load }),
    get largest() {
      return largest;
    },
  };
}

describe('a proof on cuts', () => {
  it.each(['resnet20_bn', 'mobilenet_se', 'vit_tiny', 'lstm2'])('passes for %s', async (name) => {
    const { prove, masks } = await pruneAtRandom(await trained(name), runtime);
    const report = await prove({ level: 'sample' });
    expect(report.failure).toBeUndefined();
    expect(report.cuts).toBeGreaterThan(1);
    expect(report.compared).toBeGreaterThan(masks.size);
    expect(report.maxError).toBeLessThan(1e-4);
  });

  it('never loads the whole', async () => {
    const { prove } = await pruneAtRandom(await trained('vit_tiny'), runtime, {
      only: ({ normalizedBy }) => normalizedBy.length === 0,
    });
    const whole = counting();
    expect(await prove({ level: 'outputs', runtime: whole.runtime })).toMatchObject({
      passed: true,
      cuts: 0,
    });
    const cut = counting();
    expect(await prove({ level: 'sample', runtime: cut.runtime })).toMatchObject({ passed: true });
    expect(cut.largest).toBeLessThan(whole.largest / 2);
  });

  it('catches a wrong element in any weight that a group runs through', async () => {
    const { prove, pruned, result } = await pruneAtRandom(await trained('mobilenet_se'), runtime);
    const touched = new Set(result.tensors.map(({ initializer }) => initializer));
    const names = pruned.graph.initializers.filter(({ name }) => touched.has(name)).map(({ name }) => name);
    expect(names.length).toBeGreaterThan(10);
    for (const wrong of names.filter((_, i) => i % 4 === 0)) {
      const initializers = pruned.graph.initializers.map((tensor) => {
        if (tensor.name !== wrong) return tensor;
        const values = Float32Array.from(floatsOf(tensor));
        values[elementCount(tensor.dims) >> 1]! += 1;
        return floatTensor(tensor.name, values, tensor.dims);
      });
      const candidate = { ...pruned, graph: { ...pruned.graph, initializers } };
      const { passed, failure } = await prove({ level: 'sample', pruned: candidate });
      expect([wrong, passed, failure?.kind]).toEqual([wrong, false, 'value']);
    }
  });
});
