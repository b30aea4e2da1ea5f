import type { AxisCoupling, ParameterUse } from '../axes/couple.js';
import { isFloat } from '../onnx/data-type.js';
import { elementCount, type Tensor } from '../onnx/tensor.js';
import { floatsOf, floatTensor, integersOf } from '../onnx/values.js';
import { opOf } from '../ops/index.js';
import type { Op } from '../ops/op.js';

/** Reads quantized weights as what they stand for: (w − zero point) · scale. */
export class QuantizedWeights {
  private readonly uses = new Map<string, ParameterUse>();

  constructor(private readonly analysis: AxisCoupling) {
    for (const use of analysis.parameters)
      if (use.source.tensor.dims.length < 2) this.uses.set(`${use.node}:${use.input}`, use);
  }

  isReadable(use: ParameterUse): boolean {
    const { dtype } = use.source.tensor;
    return isFloat(dtype) || ((dtype === 'int8' || dtype === 'uint8') && this.opOf(use) !== undefined);
  }

  /** The weight as floats; undefined if it isn't readable. */
  floats(use: ParameterUse): Tensor | undefined {
    const { tensor } = use.source;
    if (isFloat(tensor.dtype)) return tensor;
    const op = this.opOf(use);
    if (!op) return undefined;
    const bytes = tensor.data.bytes();
    const values = Float32Array.from(tensor.dtype === 'int8' ? new Int8Array(bytes) : bytes);
    const { dims } = tensor;
    const axis = op.weightAxis!(this.analysis.model.graph.nodes[use.node]!);
    const inner = elementCount(dims.slice(axis < 0 ? axis + dims.length + 1 : axis + 1));
    const length = dims.at(axis) ?? 1;
    /** The entry of a scalar or of a vector along the axis. */
    const along = (list: ArrayLike<number>, i: number): number =>
      list[list.length > 1 ? Math.floor(i / inner) % length : 0]!;
    const zeros = this.operand(use.node, op.operands.weightZeroPoint);
    const points = zeros ? integersOf(zeros) : [0];
    const scales = this.operand(use.node, op.operands.weightScale);
    // The scale of an integer product comes later: whatever it is, the weight fills its range.
    const steps = scales && isFloat(scales.dtype) ? floatsOf(scales) : [1 / 128];
    for (let i = 0; i < values.length; i++) values[i] = (values[i]! - along(points, i)) * along(steps, i);
    return floatTensor(tensor.name, values, dims);
  }

  /** The op that reads a quantized weight there. */
  private opOf({ node, input }: ParameterUse): Op | undefined {
    const op = opOf(this.analysis.model.graph.nodes[node]!);
    return op?.weightAxis && op.operands.weight === input ? op : undefined;
  }

  private operand(node: number, input: number | undefined): Tensor | undefined {
    return this.uses.get(`${node}:${input}`)?.source.tensor;
  }
}
