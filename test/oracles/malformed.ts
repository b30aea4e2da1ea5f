/** Malformed model files, by seed: damaged bytes, and structures that no exporter writes. */
import { encodeModel } from '../../src/onnx/codec.js';
import type { Graph, Model, Node } from '../../src/onnx/model.js';
import { floatTensor, rawTensor } from '../../src/onnx/values.js';
import { integerBelow, randomGenerator, type RandomGenerator } from '../../src/random/random.js';
import { graph, model, node, value } from '../shapes/build-model.js';

export interface MalformedFile {
  readonly kind: string;
  readonly bytes: Uint8Array;
}

type Damage = (random: RandomGenerator) => Uint8Array;

/** A network with most of what a file can hold: weights in several forms, a body, symbolic dims, metadata. */
function sound(random: RandomGenerator): Model {
  const weights = (name: string, dims: readonly number[]) => {
    const count = dims.reduce((a, b) => a * b, 1);
    return floatTensor(name, Float32Array.from({ length: count }, () => random() - 0.5), dims); // prettier-ignore
  };
  return model(
    {
      inputs: [value('x', ['n', 3, 8, 8])],
      outputs: [value('y', ['n', 5])],
      valueInfos: [value('a', ['n', 6, 8, 8])],
      initializers: [weights('w1', [6, 3, 3, 3]), weights('b1', [6]), weights('w2', [6, 5])],
      nodes: [
        node('Conv', ['x', 'w1', 'b1'], ['a'], { pads: [1, 1, 1, 1], kernel_shape: [3, 3] }, 'conv'),
        node('Relu', ['a'], ['r'], {}, 'relu'),
        node('GlobalAveragePool', ['r'], ['p'], {}, 'pool'),
        node('Flatten', ['p'], ['f'], { axis: 1 }, 'flatten'),
        node('MatMul', ['f', 'w2'], ['y'], {}, 'product'),
      ],
    },
    17,
  );
}

const withGraph = (base: Model, change: Partial<Graph>): Uint8Array =>
  encodeModel({ ...base, graph: { ...base.graph, ...change } });

const withNodes = (base: Model, change: (nodes: readonly Node[]) => readonly Node[]): Uint8Array =>
  withGraph(base, { nodes: change(base.graph.nodes) });

const pickName = (random: RandomGenerator): string =>
  ['x', 'a', 'r', 'p', 'f', 'y', 'w1', 'b1', 'w2', '', 'nowhere'][integerBelow(11, random)]!;

/** Sizes that overflow products, are negative or take all memory if believed. */
const hostile = [0, -1, 2 ** 31, 2 ** 31 - 1, 2 ** 32, 2 ** 40, 2 ** 53 - 1, -(2 ** 53 - 1), 65536, 1e6];

/** Where a dim of the tensor starts in the file is not known here: tensors are made by hand. */
const hostileTensor = (random: RandomGenerator) => {
  const dims = Array.from(
    { length: 1 + integerBelow(5, random) },
    () => hostile[integerBelow(hostile.length, random)]!,
  );
  const tensor = rawTensor('w1', 'float32', [1], new Uint8Array(4));
  return { ...tensor, dims };
};

const damages: Readonly<Record<string, Damage>> = {
  truncated: (random) => {
    const bytes = encodeModel(sound(random));
    return bytes.slice(0, integerBelow(bytes.length, random));
  },
  'flipped bits': (random) => {
    const bytes = encodeModel(sound(random));
    const flips = 1 + integerBelow(12, random);
    for (let i = 0; i < flips; i++)
      bytes[integerBelow(bytes.length, random)]! ^= 1 << integerBelow(8, random);
    return bytes;
  },
  /** Flips in what isn't weights, which is most of the structure. */
  'flipped structure': (random) => {
    // Weights are in the middle of the file, structure at its start and end.
    const bytes = encodeModel(sound(random));
    const flips = 1 + integerBelow(3, random);
    for (let i = 0; i < flips; i++) {
      const at = integerBelow(450, random);
      bytes[at < 300 ? at : bytes.length + 299 - at] = integerBelow(256, random);
    }
    return bytes;
  },
  spliced: (random) => {
    const bytes = encodeModel(sound(random));
    const [at, from] = [integerBelow(bytes.length, random), integerBelow(bytes.length, random)];
    const length = integerBelow(200, random);
    return Uint8Array.from([...bytes.slice(0, at), ...bytes.slice(from, from + length), ...bytes.slice(at)]);
  },
  noise: (random) => Uint8Array.from({ length: integerBelow(3000, random) }, () => integerBelow(256, random)),
  'hostile dims of a tensor': (random) => {
    const base = sound(random);
    return withGraph(base, { initializers: [hostileTensor(random), ...base.graph.initializers.slice(1)] });
  },
  'hostile dims of an input': (random) => {
    const dims = Array.from({ length: 4 }, () => hostile[integerBelow(hostile.length, random)]!);
    return withGraph(sound(random), { inputs: [value('x', dims)] });
  },
  'hostile attributes': (random) => {
    const huge = (): number => hostile[integerBelow(hostile.length, random)]!;
    const attributes: Record<string, readonly number[] | number>[] = [
      { pads: [huge(), huge(), huge(), huge()], kernel_shape: [3, 3] },
      { group: huge(), kernel_shape: [3, 3] },
      { kernel_shape: [huge(), huge()] },
      { strides: [huge(), huge()], kernel_shape: [3, 3] },
      { dilations: [huge(), huge()], kernel_shape: [3, 3] },
      { kernel_shape: [] },
    ];
    const conv = node('Conv', ['x', 'w1', 'b1'], ['a'], attributes[integerBelow(attributes.length, random)]);
    return withNodes(sound(random), (nodes) => [conv, ...nodes.slice(1)]);
  },
  cyclic: (random) =>
    withNodes(sound(random), (nodes) => {
      const at = integerBelow(nodes.length, random);
      return nodes.with(at, { ...nodes[at]!, inputs: ['y', ...nodes[at]!.inputs.slice(1)] });
    }),
  reordered: (random) => withNodes(sound(random), (nodes) => [...nodes].sort(() => random() - 0.5)),
  'duplicate names': (random) =>
    withNodes(sound(random), (nodes) => {
      const at = integerBelow(nodes.length, random);
      return nodes.with(at, { ...nodes[at]!, outputs: [pickName(random)], name: 'conv' });
    }),
  'duplicate initializers': (random) => {
    const base = sound(random);
    return withGraph(base, {
      initializers: [...base.graph.initializers, { ...base.graph.initializers[0]!, name: pickName(random) }],
    });
  },
  'missing inputs': (random) =>
    withNodes(sound(random), (nodes) => {
      const at = integerBelow(nodes.length, random);
      const { inputs } = nodes[at]!;
      const broken =
        random() < 0.5 ? inputs.slice(1) : inputs.with(integerBelow(inputs.length, random), pickName(random));
      return nodes.with(at, { ...nodes[at]!, inputs: broken });
    }),
  'missing weights': (random) => {
    const base = sound(random);
    const gone = integerBelow(3, random);
    return withGraph(base, { initializers: base.graph.initializers.filter((_, i) => i !== gone) });
  },
  'missing outputs': (random) =>
    withGraph(sound(random), { outputs: random() < 0.3 ? [] : [value(pickName(random))] }),
  'wrong ops': (random) =>
    withNodes(sound(random), (nodes) => {
      const at = integerBelow(nodes.length, random);
      const ops = ['Reshape', 'Split', 'Concat', 'LSTM', 'Einsum', 'Loop', 'If', 'Scan', 'Nothing', '', 'Gather', 'Slice', 'Pad', 'Resize', 'Transpose', 'LayerNormalization', 'GroupNormalization', 'Constant', 'Identity', 'QLinearConv', 'Tile']; // prettier-ignore
      return nodes.with(at, { ...nodes[at]!, opType: ops[integerBelow(ops.length, random)]! });
    }),
  'deep nesting': (random) => {
    let body = graph({ nodes: [node('Identity', ['c'], ['inner'])], outputs: [value('inner')] });
    const depth = 1 + integerBelow(400, random);
    for (let i = 0; i < depth; i++)
      body = graph({
        nodes: [node('If', ['c'], [`o${i}`], { then_branch: body, else_branch: graph({ nodes: [] }) })],
        outputs: [value(`o${i}`)],
      });
    return encodeModel(model({ ...body, inputs: [value('c', [], 'bool')] }));
  },
  /** Length-delimited fields in each other, thousands deep, as only hand-made bytes are. */
  'nested messages': (random) => {
    let bytes = new Uint8Array(0);
    const depth = 1000 + integerBelow(4000, random);
    // graph 7 > node 1 > attribute 5 > g 6
    const tags = [(6 << 3) | 2, (5 << 3) | 2, (1 << 3) | 2];
    for (let i = 0; i < depth; i++) bytes = field(tags[i % 3]!, bytes);
    return field((7 << 3) | 2, bytes);
  },
  'wrong opsets': (random) => {
    const base = sound(random);
    const version = [0, -3, 1, 5, 99, 2 ** 31, 2 ** 40][integerBelow(7, random)]!;
    return encodeModel({
      ...base,
      opsets: new Map([['', version]]),
      opsetImports: [{ domain: '', version }],
    });
  },
};

function field(tag: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const length: number[] = [];
  let rest = payload.length;
  do {
    length.push((rest & 127) | (rest > 127 ? 128 : 0));
    rest >>>= 7;
  } while (rest > 0);
  const out = new Uint8Array(1 + length.length + payload.length);
  out.set([tag, ...length]);
  out.set(payload, 1 + length.length);
  return out;
}

/** What is done to files, in the order of their numbers. */
export const malformedKinds = Object.keys(damages);

/** File number `seed` of the corpus; the kinds take turns. */
export function malformedFile(seed: number): MalformedFile {
  const kind = malformedKinds[seed % malformedKinds.length]!;
  return { kind, bytes: damages[kind]!(randomGenerator(`malformed ${seed}`)) };
}
