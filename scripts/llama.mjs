#!/usr/bin/env node
// A Llama-like ONNX model of any size with random weights: RMSNorm, rotary embeddings, grouped queries, SwiGLU, as
// exporters write them. Written block by block, so that its size is limited by the disk.
// Usage: npm run build && node scripts/llama.mjs --bytes 4GiB -o model.onnx [--type fp16|fp32] [--cache] [--inline]
//        [--hidden N] [--layers N] [--intermediate N] [--heads N] [--kv-heads N] [--vocabulary N] [--seed N]
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeModel } from '../dist/files/model-file.js';
import { roomFor } from '../dist/onnx/bytes.js';
import { graphModel, tensorInfo } from '../dist/onnx/graph-model.js';
import { elementCount } from '../dist/onnx/tensor.js';
import { encodeFloats, floatTensor, integerTensor } from '../dist/onnx/values.js';
import { fillNormal, randomGenerator } from '../dist/random/random.js';

const bytesOf = { float16: 2, float32: 4 };
const longestSequence = 2048;

/** The shape of a model whose weights take about `bytes`: wider and deeper together, as the real ones are. */
export function sizesFor(bytes, dtype) {
  const count = bytes / bytesOf[dtype];
  // Attention takes 2.5 h² with four queries a key, SwiGLU about 8 h², embedding and head 8 h² each.
  const layersAt = (hidden) => Math.max(1, Math.round((count / hidden ** 2 - 16) / 10.5));
  const widths = [128, 256, 512, 1024, 1536, 2048, 3072, 4096, 5120, 8192];
  const misfit = (hidden) => Math.abs(Math.log(layersAt(hidden) / (hidden / 128)));
  const hidden = widths.reduce((best, next) => (misfit(next) < misfit(best) ? next : best));
  return completeSizes({ hidden, layers: layersAt(hidden) });
}

/** Fills in what the width says about the rest. */
export function completeSizes(given) {
  const { hidden } = given;
  const heads = given.heads ?? hidden / (hidden < 2048 ? 32 : 128);
  return {
    heads,
    kvHeads: Math.max(1, heads / 4),
    intermediate: Math.round((hidden * 8) / 3 / 64) * 64,
    vocabulary: 8 * hidden,
    layers: 2,
    ...given,
  };
}

/** @returns the model; its weights are computed when they are read. */
export function llamaModel({ sizes, dtype = 'float16', cache = false, external = true, seed = 0 }) {
  const { hidden, layers, intermediate, heads, kvHeads, vocabulary } = sizes;
  const width = hidden / heads;
  const weights = new RandomWeights(dtype, seed);
  const initializers = [];
  const nodes = [];
  const weight = (name, dims, scale = dims[0] ** -0.5) => {
    const data = weights.of(elementCount(dims) * bytesOf[dtype], scale, external);
    initializers.push({ name, dims, dtype, docString: '', data });
    return name;
  };
  const constant = (name, tensor) => (initializers.push({ ...tensor, name }), name);
  const float = (name, values, dims) => constant(name, floatTensor(name, values, dims, dtype));
  const integers = (name, values, dims) => constant(name, integerTensor(name, values, dims));
  const node = (opType, inputs, output, attributes = {}) => {
    const entries = Object.entries(attributes).map(([name, value]) => [
      name,
      { name, docString: '', reference: '', ...value },
    ]);
    nodes.push({
      ...{ name: output, opType, domain: '', inputs, outputs: [output] },
      ...{ attributes: new Map(entries), docString: '' },
    });
    return output;
  };
  const ints = (...value) => ({ type: 'ints', value: value.map(BigInt) });
  const int = (value) => ({ type: 'int', value: BigInt(value) });

  const epsilon = float('epsilon', [1e-5], []);
  const two = float('two', [2], []);
  const masked = float('masked', [-65504], []);
  const attentionScale = float('attention_scale', [width ** -0.5], []);
  const [first, second, third] = [1, 2, 3].map((axis) => integers(`axis_${axis}`, [axis]));
  const [start, middle, end] = [0, width / 2, width].map((at) => integers(`at_${at}`, [at]));
  const [zero, one] = [0, 1].map((value) => integers(`scalar_${value}`, [value], []));
  const headShape = (name, count) => integers(name, [0, 0, count, width]);
  const [queryShape, keyShape] = [headShape('query_shape', heads), headShape('key_shape', kvHeads)];
  const repeats = integers('repeats', [1, 1, heads / kvHeads, 1, 1]);
  const repeated = integers('repeated_shape', [0, heads, -1, width]);
  const merged = integers('merged_shape', [0, 0, hidden]);

  const rotary = rotaryTables(width);
  const [cos, sin] = ['cos', 'sin'].map((name) => {
    const rows = node('Gather', [float(`${name}_table`, rotary[name], [longestSequence, width]), 'position_ids'], name); // prettier-ignore
    return node('Unsqueeze', [rows, first], `${name}_heads`);
  });
  const rotate = (x, name) => {
    const low = node('Slice', [x, start, middle, third], `${name}/low`);
    const high = node('Slice', [x, middle, end, third], `${name}/high`);
    const negated = node('Neg', [high], `${name}/negated`);
    const swapped = node('Concat', [negated, low], `${name}/swapped`, { axis: int(-1) });
    const along = node('Mul', [x, cos], `${name}/cos`);
    return node('Add', [along, node('Mul', [swapped, sin], `${name}/sin`)], `${name}/rotated`);
  };
  const norm = (x, name) => {
    const squares = node('Pow', [x, two], `${name}/squares`);
    const mean = node('ReduceMean', [squares], `${name}/mean`, { axes: ints(-1), keepdims: int(1) });
    const root = node('Sqrt', [node('Add', [mean, epsilon], `${name}/shifted`)], `${name}/root`);
    const scale = float(`${name}.weight`, new Float32Array(hidden).fill(1), [hidden]);
    return node('Mul', [scale, node('Div', [x, root], `${name}/normal`)], `${name}/out`);
  };

  const inputs = [
    tensorInfo('input_ids', 'int64', [undefined, undefined]),
    tensorInfo('position_ids', 'int64', [undefined, undefined]),
  ];
  const outputs = ['logits'];
  const symbolic = (info, ...names) => ({
    ...info,
    type: {
      ...info.type,
      shape: info.type.shape.map((dim, i) => ({ ...dim, value: names[i] ?? dim.value })),
    },
  });
  let x = node('Gather', [weight('embedding', [vocabulary, hidden], 1), 'input_ids'], 'embedded');
  let mask;
  for (let layer = 0; layer < layers; layer++) {
    const at = `layers.${layer}`;
    const normal = norm(x, `${at}.input_norm`);
    const project = (name, size, shape) => {
      const flat = node('MatMul', [normal, weight(`${at}.${name}.weight`, [hidden, size])], `${at}/${name}`);
      const split = node('Reshape', [flat, shape], `${at}/${name}/split`);
      return node('Transpose', [split], `${at}/${name}/heads`, { perm: ints(0, 2, 1, 3) });
    };
    const query = rotate(project('query', hidden, queryShape), `${at}/query`);
    let key = rotate(project('key', kvHeads * width, keyShape), `${at}/key`);
    let value = project('value', kvHeads * width, keyShape);
    if (cache) {
      const keep = (kind, now) => {
        const past = `past_${kind}_${layer}`;
        inputs.push(symbolic(tensorInfo(past, dtype, [undefined, kvHeads, undefined, width]), 'batch', undefined, 'past')); // prettier-ignore
        outputs.push(`present_${kind}_${layer}`);
        return node('Concat', [past, now], `present_${kind}_${layer}`, { axis: int(2) });
      };
      key = keep('key', key);
      value = keep('value', value);
    }
    if (mask === undefined) {
      // A query sees the keys up to its own position.
      const total = node(
        'Gather',
        [node('Shape', [key], 'key_dims'), integers('length_axis', [2], [])],
        'total',
      );
      const positions = node('Range', [zero, total, one], 'key_positions');
      const own = node('Unsqueeze', ['position_ids', second], 'query_positions');
      mask = node('Unsqueeze', [node('LessOrEqual', [positions, own], 'visible'), first], 'mask');
    }
    const repeat = (kind, tensor) => {
      const apart = node('Unsqueeze', [tensor, second], `${at}/${kind}/apart`);
      const expanded = node('Expand', [apart, repeats], `${at}/${kind}/expanded`);
      return node('Reshape', [expanded, repeated], `${at}/${kind}/repeated`);
    };
    const turned = node('Transpose', [repeat('key', key)], `${at}/key/turned`, { perm: ints(0, 1, 3, 2) });
    const products = node('MatMul', [query, turned], `${at}/products`);
    const scaled = node('Mul', [products, attentionScale], `${at}/scaled`);
    const scores = node('Softmax', [node('Where', [mask, scaled, masked], `${at}/masked`)], `${at}/scores`, { axis: int(-1) }); // prettier-ignore
    const mixed = node('MatMul', [scores, repeat('value', value)], `${at}/mixed`);
    const back = node('Transpose', [mixed], `${at}/back`, { perm: ints(0, 2, 1, 3) });
    const flat = node('Reshape', [back, merged], `${at}/merged`);
    const attended = node(
      'MatMul',
      [flat, weight(`${at}.output.weight`, [hidden, hidden])],
      `${at}/attended`,
    );
    x = node('Add', [x, attended], `${at}/residual`);

    const inner = norm(x, `${at}.mlp_norm`);
    const gate = node('MatMul', [inner, weight(`${at}.gate.weight`, [hidden, intermediate])], `${at}/gate`);
    const swish = node('Mul', [gate, node('Sigmoid', [gate], `${at}/sigmoid`)], `${at}/swish`);
    const up = node('MatMul', [inner, weight(`${at}.up.weight`, [hidden, intermediate])], `${at}/up`);
    const gated = node('Mul', [swish, up], `${at}/gated`);
    const down = node('MatMul', [gated, weight(`${at}.down.weight`, [intermediate, hidden])], `${at}/down`);
    x = node('Add', [x, down], `${at}/out`);
  }
  node('MatMul', [norm(x, 'norm'), weight('head.weight', [hidden, vocabulary])], 'logits');
  inputs[0] = symbolic(inputs[0], 'batch', 'sequence');
  inputs[1] = symbolic(inputs[1], 'batch', 'sequence');
  return graphModel({ nodes, inputs, outputs, initializers });
}

/** Cosine and sine of every position and dimension, the halves alike. */
function rotaryTables(width) {
  const cos = new Float32Array(longestSequence * width);
  const sin = new Float32Array(cos.length);
  for (let position = 0, at = 0; position < longestSequence; position++)
    for (let i = 0; i < width; i++, at++) {
      const angle = position * 10_000 ** ((-2 * (i % (width / 2))) / width);
      cos[at] = Math.cos(angle);
      sin[at] = Math.sin(angle);
    }
  return { cos, sin };
}

/** Weights that are computed wherever they are read, from their position: normal, by a table of 65,536 samples. */
class RandomWeights {
  #samples = fillNormal(new Float32Array(2 ** 16), randomGenerator('llama'));
  #tables = new Map();
  #count = 0;

  constructor(dtype, seed) {
    this.dtype = dtype;
    this.seed = seed;
  }

  of(byteLength, scale, external) {
    const table = this.#table(scale);
    const key = Math.imul(this.seed * 4099 + ++this.#count, 0x9e3779b1);
    const isHalf = this.dtype === 'float16';
    const read = (from, to, scratch) => {
      const out = roomFor(to - from, scratch);
      const pairs = isHalf ? 4 : 8;
      if (from % pairs !== 0 || to % pairs !== 0 || out.byteOffset % 4 !== 0)
        throw new Error('weights of this script are read in pairs');
      const words = new Uint32Array(out.buffer, out.byteOffset, out.length / 4);
      let pair = from / pairs;
      for (let i = 0; i < words.length; pair++) {
        // A hash of the position (the finalizer of MurmurHash3): two samples.
        let h = (pair ^ key) | 0;
        h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
        h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
        h ^= h >>> 16;
        if (isHalf) words[i++] = table[h & 0xffff] | (table[h >>> 16] << 16);
        else {
          words[i++] = table[h & 0xffff];
          words[i++] = table[h >>> 16];
        }
      }
      return out;
    };
    return { storage: external ? 'external' : 'raw', byteLength, read, bytes: () => read(0, byteLength) };
  }

  /** Bits of the samples, scaled. */
  #table(scale) {
    let table = this.#tables.get(scale);
    if (!table) {
      const bytes = encodeFloats(this.#samples.map((x) => x * scale), this.dtype); // prettier-ignore
      const type = this.dtype === 'float16' ? Uint16Array : Uint32Array;
      this.#tables.set(scale, (table = new type(bytes.buffer, bytes.byteOffset, bytes.length / type.BYTES_PER_ELEMENT))); // prettier-ignore
    }
    return table;
  }
}

/** `4GiB`, `64MiB` or a number. */
export function parseBytes(text) {
  const [, number, unit] = /^([\d.]+)(KiB|MiB|GiB)?$/.exec(text) ?? [];
  if (number === undefined) throw new Error(`'${text}' is no size; write 64MiB or 4GiB`);
  return Number(number) * 1024 ** (unit === undefined ? 0 : ['KiB', 'MiB', 'GiB'].indexOf(unit) + 1);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const text = { type: 'string' };
  const { values } = parseArgs({
    options: {
      ...{ bytes: text, output: { ...text, short: 'o' }, type: { ...text, default: 'fp16' } },
      ...{ hidden: text, layers: text, intermediate: text, heads: text, 'kv-heads': text, vocabulary: text },
      ...{ cache: { type: 'boolean' }, inline: { type: 'boolean' }, seed: { ...text, default: '0' } },
    },
  });
  const dtype = { fp16: 'float16', fp32: 'float32' }[values.type];
  if (!dtype || !values.output || (!values.bytes && !values.hidden)) {
    console.error('give -o FILE, --bytes SIZE or --hidden N, and --type fp16 or fp32');
    process.exit(2);
  }
  const given = Object.fromEntries(
    Object.entries({ ...values, kvHeads: values['kv-heads'] })
      .filter(
        ([key, value]) =>
          value && ['hidden', 'layers', 'intermediate', 'heads', 'kvHeads', 'vocabulary'].includes(key),
      ) // prettier-ignore
      .map(([key, value]) => [key, Number(value)]),
  );
  const sizes = values.bytes
    ? { ...sizesFor(parseBytes(values.bytes), dtype), ...given }
    : completeSizes(given);
  const model = llamaModel({ sizes, dtype, cache: values.cache, external: !values.inline, seed: Number(values.seed) }); // prettier-ignore
  const written = await writeModel(model, values.output, { externalData: values.inline ? 'never' : 'auto' });
  console.log(JSON.stringify({ ...sizes, bytes: written.bytes + (written.data?.bytes ?? 0) }));
}
