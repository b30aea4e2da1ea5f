import { floatAttribute, intAttribute, intsAttribute, stringAttribute } from '../../onnx/attributes.js';
import { contractAlong } from '../along.js';
import { interpolationMatrix, type Interpolation } from '../interpolation.js';
import { axisIndex, inverse, range, ruleFor, type GradientContext, type GradientRules } from '../rule.js';

/** Elements go elsewhere; cotangents come back. */
export const movement: GradientRules = {
  ...ruleFor('Reshape Flatten Squeeze Unsqueeze', (c) => [c.emit.reshape(c.grad(), c.shape(0))]),
  Transpose: (c) => {
    const perm = intsAttribute(c.node, 'perm', range(c.shape(0).length).reverse());
    return [c.emit.transpose(c.grad(), inverse(perm))];
  },
  Expand: (c) => [c.emit.unbroadcast(c.grad(), c.outputShape(), c.shape(0))],
  Concat: (c) => {
    const rank = c.outputShape().length;
    const axis = axisIndex(intAttribute(c.node, 'axis', 0), rank);
    let start = 0;
    return c.node.inputs.map((_, i) => {
      const end = start + c.shape(i)[axis]!;
      const part = c.wants(i) ? c.emit.slice(c.grad(), [axis], [start], [end]) : undefined;
      start = end;
      return part;
    });
  },
  Split: (c) => {
    const axis = axisIndex(intAttribute(c.node, 'axis', 0), c.shape(0).length);
    return [c.emit.op('Concat', c.node.outputs.map((_, k) => c.grad(k)), { axis })]; // prettier-ignore
  },
  Pad: pad,
  Tile: (c) => {
    const shape = c.shape(0);
    const repeats = c.parameter('repeats') ?? c.refuse('its repeats are computed from data');
    const split = c.emit.reshape(c.grad(), shape.flatMap((size, i) => [repeats[i]!, size])); // prettier-ignore
    return [c.emit.sum(split, range(shape.length).map((i) => 2 * i))]; // prettier-ignore
  },
  DepthToSpace: (c) => {
    const [n, ch, h, w] = c.shape(0) as [number, number, number, number];
    const b = intAttribute(c.node, 'blocksize', 1);
    const depth = ch / (b * b);
    const isColumnRow = stringAttribute(c.node, 'mode', 'DCR') === 'CRD';
    const blocks = c.emit.reshape(c.grad(), [n, depth, h, b, w, b]);
    return [c.emit.reshape(c.emit.transpose(blocks, isColumnRow ? [0, 1, 3, 5, 2, 4] : [0, 3, 5, 1, 2, 4]), [n, ch, h, w])]; // prettier-ignore
  },
  SpaceToDepth: (c) => {
    const [n, ch, h, w] = c.shape(0) as [number, number, number, number];
    const b = intAttribute(c.node, 'blocksize', 1);
    const blocks = c.emit.reshape(c.grad(), [n, b, b, ch, h / b, w / b]);
    return [c.emit.reshape(c.emit.transpose(blocks, [0, 3, 4, 1, 5, 2]), [n, ch, h, w])];
  },
  ...ruleFor('Resize Upsample', resize),
};

function pad(c: GradientContext): (string | undefined)[] {
  const e = c.emit;
  const shape = c.shape(0);
  const given = c.parameter('pads') ?? c.refuse('its pads are computed from data');
  const axes = c.parameter('axes')?.map((axis) => axisIndex(axis, shape.length)) ?? range(shape.length);
  const begins = shape.map(() => 0);
  const ends = shape.map(() => 0);
  axes.forEach((axis, i) => {
    begins[axis] = given[i]!;
    ends[axis] = given[i + axes.length]!;
  });
  const mode = stringAttribute(c.node, 'mode', 'constant');
  if (mode !== 'constant') return [mirrored(c, begins, ends, mode)];
  const clip = (pads: readonly number[], sign: number): number[] => pads.map((n) => Math.max(0, sign * n));
  const [cutBegins, cutEnds] = [clip(begins, 1), clip(ends, 1)];
  const sizes = c.outputShape();
  const bounds = sizes.map((size, i) => size - cutEnds[i]!);
  const inner = e.slice(c.grad(), range(shape.length), cutBegins, bounds);
  const filled = [...clip(begins, -1), ...clip(ends, -1)];
  return [filled.every((n) => n === 0) ? inner : e.op('Pad', [inner, e.ints(filled), e.scalar(0)])];
}

/** Padding that repeats elements of the input: a 0/1 matrix on each axis. */
function mirrored(
  c: GradientContext,
  begins: readonly number[],
  ends: readonly number[],
  mode: string,
): string {
  let value = c.grad();
  const dims = [...c.outputShape()];
  c.shape(0).forEach((size, axis) => {
    if (begins[axis] === 0 && ends[axis] === 0) return;
    const matrix = new Float32Array(dims[axis]! * size);
    for (let o = 0; o < dims[axis]!; o++) {
      const at = o - begins[axis]!;
      const source =
        mode === 'edge'
          ? Math.min(Math.max(at, 0), size - 1)
          : mode === 'wrap'
            ? ((at % size) + size) % size
            : reflect(at, size);
      matrix[o * size + source] = 1;
    }
    value = contractAlong(c.emit, value, dims, axis, matrix);
    dims[axis] = size;
  });
  return value;
}

function reflect(at: number, size: number): number {
  const period = 2 * (size - 1);
  const i = period === 0 ? 0 : ((at % period) + period) % period;
  return i < size ? i : period - i;
}

/** Resize is linear and separable: the transposed matrix on each axis. */
function resize(c: GradientContext): (string | undefined)[] {
  const { node, opset } = c;
  const shape = c.shape(0);
  const isOld = node.opType === 'Upsample' || opset < 11;
  const how: Interpolation = {
    mode: stringAttribute(node, 'mode', 'nearest'),
    coordinates: isOld ? 'asymmetric' : stringAttribute(node, 'coordinate_transformation_mode', 'half_pixel'),
    nearest: isOld ? 'floor' : stringAttribute(node, 'nearest_mode', 'round_prefer_floor'),
    cubicCoefficient: floatAttribute(node, 'cubic_coeff_a', -0.75),
  };
  const isPlain = !intAttribute(node, 'antialias', 0) && !intAttribute(node, 'exclude_outside', 0);
  if (!isPlain) c.refuse('it smooths or leaves out what lies outside');
  const axes =
    intsAttribute(node, 'axes')?.map((axis) => axisIndex(axis, shape.length)) ?? range(shape.length);
  const scales = c.parameter('scales');
  let value = c.grad();
  const dims = [...c.outputShape()];
  shape.forEach((size, axis) => {
    const given = scales?.length ? scales[axes.indexOf(axis)] : undefined;
    if (dims[axis] === size && (given === undefined || given === 1)) return;
    const matrix = interpolationMatrix(size, dims[axis]!, given ?? dims[axis]! / size, how);
    if (!matrix) return c.refuse(`mode ${how.mode} with ${how.coordinates} coordinates is not known`);
    value = contractAlong(c.emit, value, dims, axis, matrix);
    dims[axis] = size;
  });
  return [value];
}
