// Labelled images for the scripts that measure accuracy, as models take them.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/** Images and labels of a CIFAR-10 binary file as (x / 255 - mean) / std, channels first or last. */
export function cifar(file, mean, std, isChannelsLast = false) {
  const bytes = readFileSync(file);
  const count = bytes.length / 3073;
  const images = new Float32Array(count * 3072);
  const labels = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    labels[i] = bytes[i * 3073];
    for (let c = 0; c < 3; c++)
      for (let p = 0; p < 1024; p++) {
        const at = i * 3072 + (isChannelsLast ? p * 3 + c : c * 1024 + p);
        images[at] = (bytes[i * 3073 + 1 + c * 1024 + p] / 255 - mean[c]) / std[c];
      }
  }
  return { images, labels };
}

/** How the CIFAR-10 classifiers of the model collection want their images, by name. */
export const cifarModels = {
  cifar10_large: (file) => cifar(file, [0, 0, 0], [1, 1, 1], true),
  cifar10_small: (file) => cifar(file, [0, 0, 0], [1, 1, 1], true),
  cifar_base_kw: (file) => cifar(file, [0.485, 0.456, 0.406], [0.225, 0.225, 0.225]),
  cifar_deep_kw: (file) => cifar(file, [0.485, 0.456, 0.406], [0.225, 0.225, 0.225]),
  cifar_resnet_3b2_bn_a: (file) => cifar(file, [0.4914, 0.4822, 0.4465], [0.247, 0.2435, 0.2616]),
  cifar_resnet_4b: (file) => cifar(file, [0.4914, 0.4822, 0.4465], [0.247, 0.2435, 0.2616]),
  vit_ibp_3_3_8: (file) => cifar(file, [0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.201]),
  vit_pgd_2_3_16: (file) => cifar(file, [0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.201]),
};

/** Fashion-MNIST, from its two gzipped IDX files. */
export function fashion(folder, name) {
  const read = (kind) => gunzipSync(readFileSync(`${folder}/${name}-${kind}-ubyte.gz`));
  const images = Float32Array.from(read('images-idx3').subarray(16), (x) => (x / 255 - 0.286) / 0.353);
  return { images, labels: Int32Array.from(read('labels-idx1').subarray(8)) };
}

/** The chosen images as ready batches of the model's own size, or of 250; what doesn't fill a fixed batch is left out. */
export function batches(model, { images, labels }, chosen = labels.map((_, i) => i)) {
  const constants = new Set(model.graph.initializers.map(({ name }) => name));
  const { name, type } = model.graph.inputs.find((input) => !constants.has(input.name));
  const dims = type.shape.map(({ value }) => value);
  const fixed = typeof dims[0] === 'number' ? dims[0] : undefined;
  const size = Math.min(fixed ?? 250, chosen.length);
  const length = images.length / labels.length;
  return {
    description: `${chosen.length} images`,
    count: chosen.length,
    labelled: true,
    async *[Symbol.asyncIterator]() {
      for (let start = 0; start < chosen.length; start += size) {
        const own = chosen.subarray(start, start + size);
        if (fixed !== undefined && own.length < fixed) return;
        const data = new Float32Array(own.length * length);
        own.forEach((i, k) => data.set(images.subarray(i * length, (i + 1) * length), k * length));
        const inputs = { [name]: { dtype: 'float32', dims: [own.length, ...dims.slice(1)], data } };
        yield { inputs, labels: Int32Array.from(own, (i) => labels[i]), size: own.length, valid: own.length };
      }
    },
  };
}

/** 0 .. count − 1 in random order, the same for the same seed (mulberry32; Fisher and Yates). */
export function shuffled(count, seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const order = Int32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const other = Math.floor(next() * (i + 1));
    [order[i], order[other]] = [order[other], order[i]];
  }
  return order;
}
