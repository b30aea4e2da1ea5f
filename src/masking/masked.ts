import type { Axis } from '../axes/axis.js';
import type { AxisCoupling } from '../axes/couple.js';
import type { RoleUse } from '../axes/roles.js';
import { findConstants } from '../ops/constants.js';
import { PruneError } from '../errors.js';
import { computedBytes } from '../onnx/bytes.js';
import { isFloat, type DataType } from '../onnx/data-type.js';
import type { Model } from '../onnx/model.js';
import { elementCount, type Tensor } from '../onnx/tensor.js';
import { StoredData } from '../onnx/tensor-data.js';
import { elementBytes, floatTensor, type FloatType } from '../onnx/values.js';
import { mulNode } from '../ops/nodes.js';
import { ModelEdit } from '../edit/model-edit.js';
import { atSize, type AxisChange, type Projection, type ShapeOf } from '../plan/projection.js';
import { filledOutside, integerZeros, type IntegerZeros } from './integer-weights.js';
import { maskStatistics } from './statistics.js';

export interface MaskInput {
  readonly analysis: AxisCoupling;
  readonly projection: Projection;
  /** The model to mask: that of the analysis, maybe with other weights. */
  readonly model: Model;
  readonly shapeOf: ShapeOf;
  readonly dtypeOf: (value: string) => DataType | undefined;
}

/**
 * The dense model with every contracting operand multiplied by the 0/1 mask of a plan, so that its kept channels
 * hold exactly what the pruned model should compute. Statistics over pruned axes are taken over the kept indices.
 * All values keep their names.
 */
export function maskedModel(input: MaskInput): Model {
  const masking = new Masking(input);
  for (const [index, uses] of usesByNode(input)) masking.mask(index, uses);
  return masking.edit.apply().model;
}

/** The roles that removed channels reach through: contractions and statistics over an axis that loses something. */
function usesByNode({ analysis, projection }: MaskInput): Map<number, RoleUse[]> {
  const byNode = new Map<number, RoleUse[]>();
  for (const use of analysis.roles) {
    if (use.role !== 'contract' && use.role !== 'normalize') continue;
    if (!projection.isTouched([use.expression])) continue;
    const uses = byNode.get(use.node);
    if (uses) uses.push(use);
    else byNode.set(use.node, [use]);
  }
  return byNode;
}

class Masking {
  readonly edit: ModelEdit;
  private readonly sources;
  private readonly parameterAxes = new Map<string, readonly Axis[]>();

  constructor(private readonly input: MaskInput) {
    this.edit = new ModelEdit(input.model);
    this.sources = findConstants(input.model.graph);
    for (const { node, input: k, axes } of input.analysis.parameters)
      this.parameterAxes.set(`${node}:${k}`, axes);
  }

  mask(index: number, uses: readonly RoleUse[]): void {
    const node = this.input.model.graph.nodes[index]!;
    const normalized = uses.filter(({ role }) => role === 'normalize');
    if (normalized.length > 0) {
      const { analysis, shapeOf, dtypeOf } = this.input;
      // Of embeddings statistics are said to be taken over the scale's axis: the first input holds ids.
      const x = this.changes(index, normalized[0]!.input);
      maskStatistics(this.edit, index, {
        model: analysis.model,
        node,
        x,
        uses: normalized,
        shapeOf,
        dtypeOf,
      });
    }
    const contracted = uses.filter(({ role }) => role === 'contract');
    for (const input of this.sidesToMask(index, contracted)) {
      const axes = contracted.filter((use) => use.input === input).map(({ axis }) => axis);
      this.maskOperand(index, input, new Set(axes));
    }
  }

  /** Zeros on one side of a product are enough: a weight's where there is one, else the first activation's. */
  private sidesToMask(index: number, uses: readonly RoleUse[]): readonly number[] {
    const inputs = [...new Set(uses.map(({ input }) => input))].sort((a, b) => a - b);
    const { contraction } = this.input.analysis.relations[index] ?? {};
    if (contraction?.length !== 2) return inputs;
    const { inputs: names } = this.input.model.graph.nodes[index]!;
    const weight = inputs.find((input) => this.sources.has(names[input]!));
    return weight === undefined ? inputs.slice(0, 1) : [weight];
  }

  private maskOperand(index: number, input: number, axes: ReadonlySet<number>): void {
    const name = this.input.model.graph.nodes[index]!.inputs[input]!;
    const changes = this.changes(index, input);
    const source = this.sources.get(name);
    const masks = new Map<number, Uint8Array>();
    changes.forEach(({ mask }, axis) => mask && axes.has(axis) && masks.set(axis, mask));
    const dtype = source?.tensor.dtype ?? this.input.dtypeOf(name);
    if (masks.size === 0) return;
    const zeros =
      source && dtype !== undefined && !isFloat(dtype) ? this.integerZeros(index, input) : undefined;
    if (source && zeros) {
      const masked = this.edit.names.take(`${name}_masked`);
      this.edit.addTensor({ ...filledOutside(source.tensor, masks, zeros), name: masked });
      this.edit.setInput(index, input, masked);
      return;
    }
    if (dtype === undefined || !isFloat(dtype))
      throw new PruneError(
        'unsupported',
        `'${name}' of type ${dtype ?? 'unknown'} can't be masked for the proof; verify the float model, or pass --no-verify`,
      );
    const masked = this.edit.names.take(`${name}_masked`);
    if (source) this.edit.addTensor({ ...zeroed(source.tensor, masks), name: masked });
    else {
      const constant = this.edit.names.take(`${name}_mask`);
      const dims = changes.map(({ before }, axis) => (masks.has(axis) ? before : 1));
      this.edit.addTensor(floatTensor(constant, outerProduct([...masks.values()]), dims, dtype as FloatType));
      this.edit.insertBefore(index, [mulNode(name, constant, masked)]);
    }
    this.edit.setInput(index, input, masked);
  }

  private integerZeros(index: number, input: number): IntegerZeros | undefined {
    const { graph } = this.input.model;
    return integerZeros(graph, graph.nodes[index]!, input);
  }

  private changes(index: number, input: number): readonly AxisChange[] {
    const { analysis, projection, shapeOf, model } = this.input;
    const name = model.graph.nodes[index]!.inputs[input] ?? '';
    const axes = this.parameterAxes.get(`${index}:${input}`) ?? analysis.axes.get(name) ?? [];
    const dims = this.sources.get(name)?.tensor.dims ?? shapeOf(name);
    return axes.map((axis, i) => atSize(projection.of(axis), dims?.[i]));
  }
}

/** A copy with zeros outside the masks, made when it is asked for. */
function zeroed(tensor: Tensor, masks: ReadonlyMap<number, Uint8Array>): Tensor {
  const data = computedBytes(tensor.data.byteLength, () => zeroedBytes(tensor, masks));
  return { ...tensor, data: new StoredData(data) };
}

/** Zero bytes are zero in all float types. */
function zeroedBytes(tensor: Tensor, masks: ReadonlyMap<number, Uint8Array>): Uint8Array {
  const bytes = tensor.data.bytes().slice();
  const size = elementBytes(tensor.dtype);
  const words = size === 2 ? new Uint16Array(bytes.buffer) : new Uint32Array(bytes.buffer);
  for (const [axis, mask] of masks) {
    const inner = (elementCount(tensor.dims.slice(axis + 1)) * size) / words.BYTES_PER_ELEMENT;
    const removed: number[] = [];
    mask.forEach((bit, k) => {
      if (!bit) removed.push(k * inner);
    });
    for (let start = 0; start < words.length; start += mask.length * inner)
      for (const offset of removed) {
        if (inner < 16) for (let i = 0; i < inner; i++) words[start + offset + i] = 0;
        else words.fill(0, start + offset, start + offset + inner);
      }
  }
  return bytes;
}

/** The products of all combinations of entries, the last list varying fastest. */
export function outerProduct(lists: readonly ArrayLike<number>[]): Float64Array {
  let out = new Float64Array([1]);
  for (const list of lists) {
    const next = new Float64Array(out.length * list.length);
    for (let i = 0; i < out.length; i++)
      for (let k = 0; k < list.length; k++) next[i * list.length + k] = out[i]! * list[k]!;
    out = next;
  }
  return out;
}
