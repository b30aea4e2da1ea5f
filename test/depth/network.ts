/** Small residual networks, and what onnxruntime computes of any model: an oracle that knows nothing of branches. */
import type { Model, Node } from '../../src/onnx/model.js';
import { encodeModel } from '../../src/onnx/codec.js';
import type { Tensor } from '../../src/onnx/tensor.js';
import { elementCount } from '../../src/onnx/tensor.js';
import { floatTensor, integerTensor } from '../../src/onnx/values.js';
import { normal, randomGenerator } from '../../src/random/random.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { model, node, value } from '../shapes/build-model.js';

export const width = 8;
export const length = 4;
const hidden = 12;

export function weight(name: string, dims: readonly number[], scale = 0.3): Tensor {
  const random = randomGenerator(name);
  return floatTensor(
    name,
    Array.from({ length: elementCount(dims) }, () => scale * normal(random)),
    dims,
  );
}

/** A branch under the name `k`: its nodes from `input` to `f{k}`, and its weights, of which `out{k}` and `bias{k}` come last. */
interface Piece {
  readonly nodes: readonly Node[];
  readonly weights: readonly Tensor[];
}

export function mlp(k: number, input: string): Piece {
  return {
    nodes: [
      node('MatMul', [input, `in${k}`], [`h${k}`]),
      node('Relu', [`h${k}`], [`r${k}`]),
      node('MatMul', [`r${k}`, `out${k}`], [`p${k}`]),
      node('Add', [`p${k}`, `bias${k}`], [`f${k}`]),
    ],
    weights: [
      weight(`in${k}`, [width, hidden]),
      weight(`out${k}`, [hidden, width]),
      weight(`bias${k}`, [width]),
    ],
  };
}

/** One head; the scores are masked by the graph input `mask`, which all layers share. */
export function attention(k: number, input: string): Piece {
  return {
    nodes: [
      node('MatMul', [input, `q${k}`], [`queries${k}`]),
      node('MatMul', [input, `k${k}`], [`keys${k}`]),
      node('Transpose', [`keys${k}`], [`turned${k}`], { perm: [0, 2, 1] }),
      node('MatMul', [`queries${k}`, `turned${k}`], [`scores${k}`]),
      node('Add', [`scores${k}`, 'mask'], [`masked${k}`]),
      node('Softmax', [`masked${k}`], [`attention${k}`], { axis: -1 }),
      node('MatMul', [`attention${k}`, input], [`mixed${k}`]),
      node('MatMul', [`mixed${k}`, `out${k}`], [`p${k}`]),
      node('Add', [`p${k}`, `bias${k}`], [`f${k}`]),
    ],
    weights: [
      weight(`q${k}`, [width, width]),
      weight(`k${k}`, [width, width]),
      weight(`out${k}`, [width, width]),
      weight(`bias${k}`, [width]),
    ],
  };
}

const norm = (k: number): Tensor[] => [weight(`gamma${k}`, [width], 1), weight(`beta${k}`, [width])];

/**
 * A transformer of the given branches: x = x + f(norm(x)), or norm(x + f(x)); `logits` are means over positions.
 * The sum of branch `k` is `s{k}`, its node `sum{k}`.
 */
export function transformer(kinds: readonly ('attention' | 'mlp')[], order: 'pre' | 'post' = 'pre'): Model {
  const nodes: Node[] = [node('MatMul', ['input', 'embed'], ['x'])];
  const weights: Tensor[] = [weight('embed', [5, width], 1)];
  let stream = 'x';
  kinds.forEach((kind, k) => {
    weights.push(...norm(k));
    const normalize = (from: string): string => {
      nodes.push(node('LayerNormalization', [from, `gamma${k}`, `beta${k}`], [`n${k}`]));
      return `n${k}`;
    };
    const piece = (kind === 'mlp' ? mlp : attention)(k, order === 'pre' ? normalize(stream) : stream);
    weights.push(...piece.weights);
    // Exporters write both orders of the operands.
    const operands = k % 2 === 0 ? [stream, `f${k}`] : [`f${k}`, stream];
    nodes.push(...piece.nodes, node('Add', operands, [`s${k}`], {}, `sum${k}`));
    stream = order === 'pre' ? `s${k}` : normalize(`s${k}`);
  });
  nodes.push(
    node('ReduceMean', [stream], ['pooled'], { axes: [1], keepdims: 0 }),
    node('MatMul', ['pooled', 'head'], ['logits']),
  );
  return model({
    inputs: [
      value('input', ['n', length, 5]),
      ...(kinds.includes('attention') ? [value('mask', [length, length])] : []),
    ],
    outputs: [value('logits', ['n', 3])],
    initializers: [...weights, weight('head', [width, 3], 1)],
    nodes,
  });
}

/** The model with the last weights of some branches set to zero: they then add nothing. */
export function silenced(dense: Model, branches: Iterable<number>): Model {
  const names = new Set([...branches].flatMap((k) => [`out${k}`, `bias${k}`]));
  const { graph } = dense;
  const initializers = graph.initializers.map((tensor) =>
    names.has(tensor.name)
      ? floatTensor(tensor.name, new Float32Array(elementCount(tensor.dims)), tensor.dims)
      : tensor,
  );
  return { ...dense, graph: { ...graph, initializers } };
}

/** Values of all outputs, or of others, for two random examples. */
export async function run(
  runtime: Runtime,
  dense: Model,
  names = dense.graph.outputs.map((output) => output.name),
): Promise<number[][]> {
  const random = randomGenerator('feeds');
  const outputs = names.map((name) => ({ name, docString: '', type: undefined }));
  const session = await runtime.load(encodeModel({ ...dense, graph: { ...dense.graph, outputs } }), {
    optimization: 'disabled',
  });
  const noise = (count: number) => Float32Array.from({ length: count }, () => normal(random));
  try {
    const feeds = Object.fromEntries(
      dense.graph.inputs.map(({ name, type }) => {
        if (type?.kind !== 'tensor') throw new Error(`${name} is no tensor`);
        const dims = type.shape!.map((dim) => (typeof dim.value === 'number' ? dim.value : 2));
        return [name, runtime.tensor('float32', noise(elementCount(dims)), dims)];
      }),
    );
    const results = await session.run(feeds);
    return names.map((name) => Array.from(results[name]!.data as Float32Array));
  } finally {
    await session.release();
  }
}

export { model, node, value, integerTensor };
