#!/usr/bin/env node
// Writes models/algebra.onnx, the model of docs/algebra.md: Conv, Reshape, Transpose, MatMul.
// Usage: npm run build && node scripts/algebra-model.mjs
import { writeFileSync } from 'node:fs';
import { encodeModel } from '../dist/onnx/codec.js';
import { floatTensor, integerTensor } from '../dist/onnx/values.js';

const node = (name, opType, inputs, output, attributes = {}) => ({
  name,
  opType,
  domain: '',
  inputs,
  outputs: [output],
  attributes: new Map(
    Object.entries(attributes).map(([key, value]) => [
      key,
      { name: key, docString: '', reference: '', type: 'ints', value: value.map(BigInt) },
    ]),
  ),
  docString: '',
});

const info = (name, dims) => ({
  name,
  docString: '',
  type: {
    kind: 'tensor',
    dtype: 'float32',
    shape: dims.map((value) => ({ value, denotation: '' })),
    denotation: '',
  },
});

/** Numbers without a pattern, the same on every machine. */
function weight(name, dims) {
  const count = dims.reduce((product, dim) => product * dim, 1);
  const values = Array.from({ length: count }, (_, i) => (((i * 7919 + 104729) % 2003) - 1001) / 4096);
  return floatTensor(name, values, dims);
}

const model = {
  irVersion: 8,
  opsets: new Map([['', 17]]),
  opsetImports: [{ domain: '', version: 17 }],
  producerName: 'onnx-prune',
  producerVersion: '',
  domain: '',
  modelVersion: 0n,
  docString: '',
  metadata: [],
  functions: [],
  trainingInfo: [],
  graph: {
    name: 'algebra',
    docString: '',
    nodes: [
      node('conv', 'Conv', ['x', 'conv.weight', 'conv.bias'], 'features', { pads: [1, 1, 1, 1] }),
      node('heads', 'Reshape', ['features', 'heads.shape'], 'split'),
      node('last', 'Transpose', ['split'], 'turned', { perm: [0, 1, 3, 2] }),
      node('product', 'MatMul', ['turned', 'product.weight'], 'y'),
    ],
    initializers: [
      weight('conv.weight', [12, 3, 3, 3]),
      weight('conv.bias', [12]),
      integerTensor('heads.shape', [1, 3, 4, 64]),
      weight('product.weight', [4, 5]),
    ],
    sparseInitializers: [],
    inputs: [info('x', [1, 3, 8, 8])],
    outputs: [info('y', [1, 3, 64, 5])],
    valueInfos: [],
    quantizationAnnotations: [],
  },
};

writeFileSync(new URL('../models/algebra.onnx', import.meta.url), encodeModel(model));
