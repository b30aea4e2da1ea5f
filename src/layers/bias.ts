import type { ConstantSource } from '../ops/constants.js';
import { floatAttribute } from '../onnx/attributes.js';
import type { Consumption, GraphIndex } from '../onnx/graph-index.js';
import type { Node } from '../onnx/model.js';
import { elementCount, type Tensor } from '../onnx/tensor.js';
import { floatsOf } from '../onnx/values.js';
import { has, operandIndex, operandOf } from '../ops/index.js';

/** Which constant takes up the change of a layer's mean output. */
export interface BiasSink {
  /** `own`: the layer's bias, `created` where it had none; `add`: the Add behind it; `mean`: that of the BatchNormalization behind it. */
  readonly kind: 'own' | 'created' | 'add' | 'mean';
  readonly node: number;
  readonly input: number;
  /** Undefined for a created one. */
  readonly tensor: Tensor | undefined;
  /** `beta` of Gemm. */
  readonly factor: number;
  /** For `mean`: the variance beside it. */
  readonly variance?: Tensor;
  /** Where the layer's rows begin in it. Default 0. */
  readonly start?: number;
}

/** What follows a layer, as far as each value has one reader. */
export interface Following {
  readonly sink: BiasSink | undefined;
  /** A second activation that is added to the layer's output, as a residual stream does. */
  readonly shortcut: Shortcut | undefined;
}

export interface Shortcut {
  readonly value: string;
  /** What one unit of the layer's output, by channel, is worth where the shortcut is added; undefined: 1. */
  readonly gain: Float64Array | undefined;
}

/** Looks for the bias of a layer and for the residual sum that it ends in. */
export function followOutput(
  node: Node,
  index: number,
  rows: number,
  graph: GraphIndex,
  sources: ReadonlyMap<string, ConstantSource>,
): Following {
  let sink: BiasSink | undefined;
  let gain: Float64Array | undefined;
  const beta = floatAttribute(node, 'beta', 1);
  const bias = sources.get(operandOf(node, 'bias') ?? '')?.tensor;
  if (bias && elementCount(bias.dims) === rows && bias.dims.at(-1) === rows && beta !== 0)
    sink = { kind: 'own', node: index, input: operandIndex(node, 'bias')!, tensor: bias, factor: beta };
  let value = node.outputs[0]!;
  for (;;) {
    const use = onlyUse(graph, value);
    if (!use) break;
    const at = operandIndex(use.node, 'mean');
    if (at !== undefined && use.input === 0 && !gain) {
      const [scale, mean, variance] = (['scale', 'mean', 'variance'] as const).map(
        (operand) => sources.get(operandOf(use.node, operand) ?? '')?.tensor,
      );
      if (!scale || !mean || !variance) break;
      sink ??= { kind: 'mean', node: use.index, input: at, tensor: mean, factor: 1, variance };
      gain = normalizationGain(scale, variance, floatAttribute(use.node, 'epsilon', 1e-5));
    } else if (has(use.node, 'adds') && use.node.inputs.length === 2) {
      const other = use.node.inputs[1 - use.input]!;
      const addend = sources.get(other)?.tensor;
      if (!addend) return { sink: sink ?? created(node, index), shortcut: { value: other, gain } };
      if (elementCount(addend.dims) !== rows || gain) break;
      const isVector = addend.dims.at(-1) === rows;
      if (!has(node, 'spatial') && isVector)
        sink ??= { kind: 'add', node: use.index, input: 1 - use.input, tensor: addend, factor: 1 };
    } else break;
    value = use.node.outputs[0]!;
  }
  return { sink: sink ?? created(node, index), shortcut: undefined };
}

/** Ops that take a bias can be given one where they have none. */
function created(node: Node, index: number): BiasSink | undefined {
  const input = operandIndex(node, 'bias');
  if (input === undefined || node.inputs[input]) return undefined;
  const beta = floatAttribute(node, 'beta', 1);
  return beta === 0 ? undefined : { kind: 'created', node: index, input, tensor: undefined, factor: beta };
}

function onlyUse({ consumers, outputs, captured }: GraphIndex, value: string): Consumption | undefined {
  const uses = consumers.get(value) ?? [];
  const [use] = uses;
  if (uses.length !== 1 || !use || use.input < 0 || outputs.has(value)) return undefined;
  return captured.has(use.node) || use.node.domain !== '' ? undefined : use;
}

function normalizationGain(scale: Tensor, variance: Tensor, epsilon: number): Float64Array {
  const [gamma, square] = [floatsOf(scale), floatsOf(variance)];
  return Float64Array.from(gamma, (value, c) => value / Math.sqrt(square[c]! + epsilon));
}
