import type * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { activationMemory } from '../../src/cost/activations.js';
import { analyze, loadModel, prune, type Model, type Node } from '../../src/index.js';
import { encodeModel } from '../../src/onnx/codec.js';
import { graphModel, tensorInfo } from '../../src/onnx/graph-model.js';
import { floatTensor } from '../../src/onnx/values.js';
import { inputSpecs, randomInputs } from '../../src/runtime/inputs.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import { node } from '../shapes/build-model.js';

async function estimate(model: Model): Promise<number> {
  const { grouping, cost, shapes } = await analyze(model);
  return activationMemory(grouping, cost, shapes)();
}

const views = ['Identity', 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze'];

/** Runs a model with every value as an output, and adds up at every node what was written and is still to be read. */
async function counted(model: Model): Promise<number> {
  const { nodes, initializers, inputs, outputs } = model.graph;
  const constants = new Set(initializers.map(({ name }) => name));
  for (const { inputs: read, outputs: written } of nodes)
    if (read.every((name) => !name || constants.has(name))) for (const name of written) constants.add(name);
  const values = nodes.flatMap(({ outputs: own }) => own).filter((name) => name && !constants.has(name));
  const shown = {
    ...model,
    graph: {
      ...model.graph,
      outputs: values.map((name) => ({ name, docString: '', type: undefined })),
    },
  };
  const runtime = await nodeRuntime();
  const session = await runtime.load(encodeModel(shown), { optimization: 'disabled' });
  const feeds = randomInputs(runtime, inputSpecs(session));
  const results: Record<string, ort.Tensor> = { ...feeds, ...(await session.run(feeds)) };
  await session.release();

  const owner = new Map<string, string>();
  const rootOf = (name: string): string => (owner.has(name) ? rootOf(owner.get(name)!) : name);
  for (const { opType, inputs: read, outputs: written } of nodes)
    if (views.includes(opType)) owner.set(written[0]!, read[0]!);
  const isRead = (name: string, from: number): boolean =>
    outputs.some((output) => rootOf(output.name) === name) ||
    nodes.slice(from).some(({ inputs: read }) => read.some((other) => rootOf(other) === name));
  const peaks = nodes.map((_, i) => {
    const written = [
      ...inputs.map(({ name }) => name),
      ...nodes.slice(0, i + 1).flatMap(({ outputs: own }) => own),
    ].filter((name) => results[name] && rootOf(name) === name);
    const alive = written.filter((name) => isRead(name, i) || nodes[i]!.outputs.includes(name));
    return alive.reduce((sum, name) => sum + (results[name]!.data as Float32Array).byteLength, 0);
  });
  return Math.max(...peaks);
}

describe('activation memory', () => {
  const weight = (name: string, ...dims: number[]) =>
    floatTensor(name, new Float32Array(dims.reduce((a, b) => a * b)).fill(1), dims, 'float32');
  const network = (nodes: Node[], ...outputs: string[]): Model =>
    graphModel({
      nodes,
      inputs: [tensorInfo('x', 'float32', [1, 2, 4, 4])],
      outputs,
      initializers: [weight('w1', 4, 2, 1, 1), weight('w2', 2, 4, 1, 1)],
    });

  it('is the most that is alive at once: here what an activation reads and writes', async () => {
    // x 128, a 256, b 256, c 128 bytes: a and b meet at the Relu.
    const chain = [
      node('Conv', ['x', 'w1'], ['a']),
      node('Relu', ['a'], ['b']),
      node('Conv', ['b', 'w2'], ['c']),
    ];
    expect(await estimate(network(chain, 'c'))).toBe(512);
    // A skip keeps x alive over them.
    expect(await estimate(network([...chain, node('Add', ['c', 'x'], ['d'])], 'd'))).toBe(640);
    // A view costs nothing and keeps what it shows alive.
    const viewed = [...chain, node('Identity', ['a'], ['v']), node('Concat', ['v', 'c'], ['d'], { axis: 1 })];
    expect(await estimate(network(viewed, 'd'))).toBe(256 + 128 + 384);
  });

  it.each(['resnet20', 'mobilenet_se', 'vit_tiny', 'lstm2'])(
    'of %s is what its tensors take in onnxruntime, dense and pruned',
    async (name) => {
      const dense = await loadModel(`models/trained/${name}.onnx`);
      const { model, report } = await prune(dense, { ratio: 0.5, verify: 'none' });
      expect(report.activations.dense).toBe(await counted(dense));
      expect(report.activations.pruned).toBe(await counted(model));
      expect(report.activations.pruned).toBeLessThan(report.activations.dense);
    },
  );
});
