import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { decodeModel } from '../../src/onnx/codec.js';
import type { Model } from '../../src/onnx/model.js';
import { elementCount, type Tensor } from '../../src/onnx/tensor.js';
import { floatTensor } from '../../src/onnx/values.js';
import { normal, randomGenerator } from '../../src/random/random.js';

/** A model of models/topologies, without its weights. */
export function readTopology(name: string): Model {
  const path = new URL(`../../models/topologies/${name}.onnx.gz`, import.meta.url);
  return decodeModel(gunzipSync(readFileSync(path)));
}

/** Gives a topology weights of the distribution that its tensors record. */
export function fillTopology(model: Model): Model {
  return { ...model, graph: { ...model.graph, initializers: model.graph.initializers.map(filled) } };
}

function filled(tensor: Tensor): Tensor {
  const spec = /^fill:normal mean=(\S+) std=(\S+) min=(\S+) max=(\S+)$/.exec(tensor.docString);
  if (!spec) return tensor;
  const [mean, std, min, max] = spec.slice(1).map(Number) as [number, number, number, number];
  const random = randomGenerator(tensor.name);
  const values = Float32Array.from({ length: elementCount(tensor.dims) }, () =>
    Math.min(max, Math.max(min, mean + std * normal(random))),
  );
  return { ...floatTensor(tensor.name, values, tensor.dims), docString: '' };
}
