import { elementCount, type Tensor } from '../onnx/tensor.js';
import { encodeFloats, floatsOf, floatTensor, withBytes, type FloatType } from '../onnx/values.js';
import type { MatrixProduct } from '../linear/product.js';
import { cholesky, solveRows } from '../linear/cholesky.js';
import type { BiasSink } from '../layers/bias.js';
import type { LayerHessian } from './hessians.js';
import { forEachKept } from '../layers/layer.js';

/** New constants of the layers that read some channels, by node and input. */
export type Replaced = Map<number, Map<number, Tensor>>;

/**
 * The weights that the readers of a group have without some of its channels, each by itself: joint optimal brain surgery,
 * W' = W − W_P [(H⁻¹)_PP]⁻¹ (H⁻¹)_P: (Hassibi and Stork, 1993), and a bias that keeps the mean of the output.
 * @param removed one byte a channel of the group
 */
export async function withoutChannels(
  hessians: readonly LayerHessian[],
  removed: Uint8Array,
  product: MatrixProduct,
): Promise<Replaced> {
  const replaced: Replaced = new Map();
  const set = (node: number, input: number, tensor: Tensor): void => {
    const own = replaced.get(node) ?? new Map<number, Tensor>();
    replaced.set(node, own.set(input, tensor));
  };
  for (const hessian of hessians) {
    const { layer, xMean } = hessian;
    const change = await changeWithout(hessian, removed, product);
    if (!change) continue;
    const values = floatsOf(layer.weight.tensor).slice();
    const { rows, inputs } = layer.layout;
    const whole = { rows: [range(rows)], inputs: range(inputs) };
    forEachKept(layer, whole, (inWeight, inMatrix) => (values[inWeight]! += change[inMatrix]! / layer.alpha));
    set(layer.node, layer.weightInput, withFloats(layer.weight.tensor, values));
    if (!layer.bias) continue;
    const columns = xMean.length;
    const shift = Float64Array.from({ length: rows }, (_, row) => {
      let sum = 0;
      for (let j = 0; j < columns; j++) sum -= change[row * columns + j]! * xMean[j]!;
      return sum;
    });
    set(
      layer.bias.node,
      layer.bias.input,
      shifted(layer.bias, shift, layer.weight.tensor.dtype as FloatType),
    );
  }
  return replaced;
}

/** W' − W: [outputs, columns]; undefined if the layer reads none of the channels. */
async function changeWithout(
  { weights, outputs, inverse, channels }: LayerHessian,
  removed: Uint8Array,
  product: MatrixProduct,
): Promise<Float64Array | undefined> {
  const width = channels.length;
  const gone = [...channels.keys()].filter((column) => removed[channels[column]!] === 1);
  if (gone.length === 0) return undefined;
  const size = gone.length;
  const block = new Float64Array(size * size);
  const right = new Float64Array(outputs * size);
  const across = new Float64Array(width * size);
  gone.forEach((column, i) => {
    for (let j = 0; j < size; j++) block[i * size + j] = inverse[column * width + gone[j]!]!;
    for (let r = 0; r < outputs; r++) right[r * size + i] = weights[r * width + column]!;
    for (let j = 0; j < width; j++) across[j * size + i] = inverse[column * width + j]!;
  });
  const factor = await cholesky(block, size, product);
  if (!factor) return undefined;
  const solved = await solveRows(factor, right, outputs, product);
  const change = (await product(solved, across, outputs, width, size)).map((value) => -value);
  // Exactly, whatever the inverse was rounded to.
  for (const column of gone)
    for (let r = 0; r < outputs; r++) change[r * width + column] = -weights[r * width + column]!;
  return change;
}

function shifted(
  { tensor, factor, kind, start = 0 }: BiasSink,
  shift: Float64Array,
  dtype: FloatType,
): Tensor {
  if (!tensor) return floatTensor('', shift.map((value) => value / factor), [shift.length], dtype); // prettier-ignore
  const values = floatsOf(tensor).slice();
  // The running mean of a normalisation is subtracted.
  const sign = kind === 'mean' ? -1 : 1;
  shift.forEach(
    (value, row) => (values[(start + row) % elementCount(tensor.dims)]! += (sign * value) / factor),
  );
  return withFloats(tensor, values);
}

function withFloats(tensor: Tensor, values: ReturnType<typeof floatsOf>): Tensor {
  return withBytes(tensor, encodeFloats(values, tensor.dtype as FloatType));
}

function range(count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => i);
}
