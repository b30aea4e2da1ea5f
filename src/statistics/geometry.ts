import { intAttribute, intsAttribute, stringAttribute } from '../onnx/attributes.js';
import type { Node } from '../onnx/model.js';

/** How a convolution's windows lie on its input. */
export interface ConvGeometry {
  readonly groups: number;
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Begin and end of each spatial axis. */
  readonly pads: readonly (readonly [begin: number, end: number])[];
}

/**
 * The windows of a Conv on an input of the given spatial sizes.
 * @param kernel spatial dims of the weight
 */
export function convGeometry(node: Node, kernel: readonly number[], input: readonly number[]): ConvGeometry {
  const ones = kernel.map(() => 1);
  const strides = intsAttribute(node, 'strides', ones);
  const dilations = intsAttribute(node, 'dilations', ones);
  const given = intsAttribute(node, 'pads', [...ones, ...ones].fill(0));
  const mode = stringAttribute(node, 'auto_pad', 'NOTSET');
  const pads = kernel.map((size, i): readonly [number, number] => {
    if (mode === 'VALID') return [0, 0];
    if (mode !== 'SAME_UPPER' && mode !== 'SAME_LOWER') return [given[i]!, given[i + kernel.length]!];
    const reach = (size - 1) * dilations[i]! + 1;
    const outputs = Math.ceil(input[i]! / strides[i]!);
    const total = Math.max(0, (outputs - 1) * strides[i]! + reach - input[i]!);
    const small = Math.floor(total / 2);
    return mode === 'SAME_UPPER' ? [small, total - small] : [total - small, small];
  });
  return { groups: intAttribute(node, 'group', 1), kernel, strides, dilations, pads };
}

/** Spatial sizes after padding. */
export function paddedSizes({ pads }: ConvGeometry, input: readonly number[]): number[] {
  return input.map((size, i) => size + pads[i]![0] + pads[i]![1]);
}

/**
 * Where the entries of each window lie: for output positions (flat) a table [positions, kernel entries] of flat
 * positions in the padded input.
 */
export function windowTable(
  geometry: ConvGeometry,
  input: readonly number[],
  output: readonly number[],
  positions: Int32Array,
): BigInt64Array<ArrayBuffer> {
  const { kernel, strides, dilations } = geometry;
  const padded = paddedSizes(geometry, input);
  const offsets = flatOffsets(kernel, padded, dilations);
  const table = new BigInt64Array(positions.length * offsets.length);
  let at = 0;
  for (const position of positions) {
    let rest = position;
    let start = 0;
    let stride = 1;
    for (let axis = output.length - 1; axis >= 0; axis--) {
      start += (rest % output[axis]!) * strides[axis]! * stride;
      rest = Math.floor(rest / output[axis]!);
      stride *= padded[axis]!;
    }
    for (const offset of offsets) table[at++] = BigInt(start + offset);
  }
  return table;
}

function flatOffsets(
  kernel: readonly number[],
  padded: readonly number[],
  dilations: readonly number[],
): number[] {
  let offsets = [0];
  kernel.forEach((size, axis) => {
    offsets = offsets.flatMap((offset) =>
      Array.from({ length: size }, (_, k) => offset * padded[axis]! + k * dilations[axis]!),
    );
  });
  return offsets;
}
