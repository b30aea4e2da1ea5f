import { encodeModel } from '../onnx/codec.js';
import { graphModel, tensorInfo } from '../onnx/graph-model.js';
import { matMulNode } from '../ops/nodes.js';
import { assertProvider } from './providers.js';
import type { Provider, Runtime } from './runtime.js';

/**
 * Makes sure that a provider is there before anything long is begun, by a model of one small multiplication. That it
 * also runs the model at hand is seen when that is measured.
 * @throws PruneError `runtime` naming what to install
 */
export async function probeProvider(runtime: Runtime, provider: Provider): Promise<void> {
  if (provider === 'cpu') return;
  const model = graphModel({
    nodes: [matMulNode('a', 'a', 'b')],
    inputs: [tensorInfo('a', 'float32', [2, 2])],
    outputs: ['b'],
    initializers: [],
  });
  const feeds = { a: runtime.tensor('float32', Float32Array.of(1, 2, 3, 4), [2, 2]) };
  assertProvider(await runtime.profile(encodeModel(model), feeds, { provider }), provider);
}
