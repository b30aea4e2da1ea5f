import type { ConstantSource } from '../ops/constants.js';
import { floatAttribute, intAttribute } from '../onnx/attributes.js';
import { isFloat } from '../onnx/data-type.js';
import type { Node } from '../onnx/model.js';
import { has } from '../ops/index.js';
import type { BiasSink } from './bias.js';

/** Where the entries of a layer's matrix lie in its weight: at start + row · r + input · i + entry · e. */
export interface WeightLayout {
  readonly rows: number;
  /** Input channels that one row reads: those of its group. */
  readonly inputs: number;
  /** Kernel entries. */
  readonly entries: number;
  readonly rowStride: number;
  readonly inputStride: number;
  /** Default 0. */
  readonly start?: number;
}

/** Which of a recurrence's two products a layer is. */
export interface Recurrence {
  readonly direction: number;
  /** Whether this direction walks from the last step to the first. */
  readonly isReversed: boolean;
  /**
   * The recurrent weights, which read the state that the step before left: that of the dense recurrence, as far as it is
   * kept, since their own is not known before they are. Otherwise the input weights.
   */
  readonly ofState: boolean;
}

/** A node that multiplies an activation by a weight: what reconstruction solves for. */
export interface Layer {
  /** Index in the dense graph. */
  readonly node: number;
  readonly name: string;
  readonly kind: 'conv' | 'linear';
  readonly x: string;
  /** What the layer puts out in the dense model; of a recurrence, whose products are no values, what it reads there. */
  readonly y: string;
  /** The node's first output. */
  readonly output: string;
  readonly weightInput: number;
  readonly weight: ConstantSource;
  readonly layout: WeightLayout;
  /** Axis of the weight that is contracted, and the one that makes outputs. */
  readonly inputAxis: number;
  readonly outputAxis: number;
  readonly groups: number;
  /** `transA` of Gemm. */
  readonly transposed: boolean;
  /** y = alpha · (x W) + beta · bias */
  readonly alpha: number;
  readonly bias: BiasSink | undefined;
  readonly recurrence?: Recurrence;
}

/** What a node would be as a layer, without its bias; a reason if it can't be one, undefined if it is something else. */
export function layerShape(
  node: Node,
  sources: ReadonlyMap<string, ConstantSource>,
): Omit<Layer, 'node' | 'name' | 'bias'> | string | undefined {
  if (!has(node, 'layer')) return undefined;
  const [x = '', weightName = ''] = node.inputs;
  const weight = sources.get(weightName);
  if (sources.has(x)) return weight ? undefined : 'its weight is the left factor';
  if (!weight) return undefined;
  const { dims, dtype } = weight.tensor;
  if (!isFloat(dtype)) return `its weight is of type ${dtype}`;
  const base = {
    x,
    y: node.outputs[0]!,
    output: node.outputs[0]!,
    weightInput: 1,
    weight,
    transposed: false,
    alpha: 1,
  };
  if (has(node, 'spatial')) {
    const [rows = 1, inputs = 1, ...kernel] = dims;
    const entries = kernel.reduce((a, b) => a * b, 1);
    return {
      ...base,
      kind: 'conv',
      layout: { rows, inputs, entries, rowStride: inputs * entries, inputStride: entries },
      inputAxis: 1,
      outputAxis: 0,
      groups: intAttribute(node, 'group', 1),
    };
  }
  if (dims.length !== 2) return `its weight has rank ${dims.length}`;
  const byRow = intAttribute(node, 'transB', 0) === 1;
  const [rows, inputs] = byRow ? [dims[0]!, dims[1]!] : [dims[1]!, dims[0]!];
  return {
    ...base,
    kind: 'linear',
    layout: {
      rows,
      inputs,
      entries: 1,
      rowStride: byRow ? inputs : 1,
      inputStride: byRow ? 1 : rows,
    },
    inputAxis: byRow ? 1 : 0,
    outputAxis: byRow ? 0 : 1,
    groups: 1,
    transposed: intAttribute(node, 'transA', 0) === 1,
    alpha: floatAttribute(node, 'alpha', 1),
  };
}

/** Where an entry of a layer's matrix lies in its weight. */
export function placeInWeight(
  { rowStride, inputStride, start = 0 }: WeightLayout,
  row: number,
  input: number,
  entry: number,
): number {
  return start + row * rowStride + input * inputStride + entry;
}

/** Rows and input channels of a layer that a plan keeps. */
export interface KeptPart {
  /** Rows of the weight, by kept group; equally many in each. */
  readonly rows: readonly Int32Array[];
  /** Input channels within a group. */
  readonly inputs: Int32Array;
}

/** Calls `visit` for every kept entry of the weight: its place in the file and in the matrix [groups, rows, (entry, input)]. */
export function forEachKept(
  { layout }: Layer,
  { rows, inputs }: KeptPart,
  visit: (inWeight: number, inMatrix: number) => void,
): void {
  let at = 0;
  for (const group of rows)
    for (const row of group)
      for (let e = 0; e < layout.entries; e++)
        for (const input of inputs) visit(placeInWeight(layout, row, input, e), at++);
}

/** Number of columns of the kept matrix. */
export function keptColumns({ layout }: Layer, { inputs }: KeptPart): number {
  return layout.entries * inputs.length;
}
