import type { AxisCoupling, ParameterUse } from '../axes/couple.js';
import { intAttribute } from '../onnx/attributes.js';
import { isFloat } from '../onnx/data-type.js';
import type { Node } from '../onnx/model.js';
import { elementCount, type Tensor } from '../onnx/tensor.js';
import { floatsOf, floatTensor, integersOf } from '../onnx/values.js';

/** Where a node has a quantized weight and what it is quantized by, and the axis along which that may vary. */
interface Place {
  readonly weight: number;
  readonly scale?: number;
  readonly zeroPoint: number;
  readonly axis: (node: Node) => number;
}

const first = (): number => 0;
const last = (): number => -1;

const places: Readonly<Record<string, Place>> = {
  DequantizeLinear: { weight: 0, scale: 1, zeroPoint: 2, axis: (node) => intAttribute(node, 'axis', 1) },
  QLinearConv: { weight: 3, scale: 4, zeroPoint: 5, axis: first },
  QLinearMatMul: { weight: 3, scale: 4, zeroPoint: 5, axis: last },
  ConvInteger: { weight: 1, zeroPoint: 3, axis: first },
  MatMulInteger: { weight: 1, zeroPoint: 3, axis: last },
  'com.microsoft::QGemm': {
    weight: 3,
    scale: 4,
    zeroPoint: 5,
    axis: (node) => (intAttribute(node, 'transB', 0) ? 0 : -1),
  },
  'com.microsoft::DynamicQuantizeMatMul': { weight: 1, scale: 2, zeroPoint: 3, axis: last },
  'com.microsoft::MatMulIntegerToFloat': { weight: 1, scale: 3, zeroPoint: 5, axis: last },
};

/** Reads quantized weights as what they stand for: (w − zero point) · scale. */
export class QuantizedWeights {
  private readonly uses = new Map<string, ParameterUse>();

  constructor(private readonly analysis: AxisCoupling) {
    for (const use of analysis.parameters)
      if (use.source.tensor.dims.length < 2) this.uses.set(`${use.node}:${use.input}`, use);
  }

  isReadable(use: ParameterUse): boolean {
    const { dtype } = use.source.tensor;
    return isFloat(dtype) || ((dtype === 'int8' || dtype === 'uint8') && this.placeOf(use) !== undefined);
  }

  /** The weight as floats; undefined if it isn't readable. */
  floats(use: ParameterUse): Tensor | undefined {
    const { tensor } = use.source;
    if (isFloat(tensor.dtype)) return tensor;
    const place = this.placeOf(use);
    if (!place) return undefined;
    const bytes = tensor.data.bytes();
    const values = Float32Array.from(tensor.dtype === 'int8' ? new Int8Array(bytes) : bytes);
    const { dims } = tensor;
    const axis = place.axis(this.analysis.model.graph.nodes[use.node]!);
    const inner = elementCount(dims.slice(axis < 0 ? axis + dims.length + 1 : axis + 1));
    const length = dims.at(axis) ?? 1;
    /** Of a scalar or a vector along the axis. */
    const along = (list: ArrayLike<number>, i: number): number =>
      list[list.length > 1 ? Math.floor(i / inner) % length : 0]!;
    const zeros = this.operand(use.node, place.zeroPoint);
    const points = zeros ? integersOf(zeros) : [0];
    const scales = place.scale === undefined ? undefined : this.operand(use.node, place.scale);
    // The scale of an integer product comes later: whatever it is, the weight fills its range.
    const steps = scales && isFloat(scales.dtype) ? floatsOf(scales) : [1 / 128];
    for (let i = 0; i < values.length; i++) values[i] = (values[i]! - along(points, i)) * along(steps, i);
    return floatTensor(tensor.name, values, dims);
  }

  private placeOf({ node, input }: ParameterUse): Place | undefined {
    const { domain, opType } = this.analysis.model.graph.nodes[node]!;
    const place = places[domain ? `${domain}::${opType}` : opType];
    return place?.weight === input ? place : undefined;
  }

  private operand(node: number, input: number): Tensor | undefined {
    return this.uses.get(`${node}:${input}`)?.source.tensor;
  }
}
