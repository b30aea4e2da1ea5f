import type { DataType } from '../onnx/data-type.js';
import type { Model, Node } from '../onnx/model.js';
import { FreshNames } from '../onnx/names.js';
import { elementCount, type Tensor } from '../onnx/tensor.js';
import { integerTensor, rawTensor } from '../onnx/values.js';
import { findConstants } from '../ops/constants.js';
import { has, operandIndex } from '../ops/index.js';
import { addNode, castNode, subNode, unnamed } from '../ops/nodes.js';

/** Whether any node multiplies signed 8-bit weights. */
export function multipliesSigned(model: Model, dtypeOf: DtypeOf): boolean {
  const constants = findConstants(model.graph);
  return model.graph.nodes.some((node) => isSigned(node, (name) => constants.get(name)?.tensor.dtype ?? dtypeOf(name))); // prettier-ignore
}

type DtypeOf = (value: string) => DataType | undefined;

/**
 * The model with products of signed 8-bit numbers as products of unsigned ones, which are equal: both factors and their zero
 * points are shifted by 128. On x86 without VNNI onnxruntime adds two products of a signed number at 16 bits and
 * saturates, so that results depend on which channels stand side by side; those of unsigned numbers it adds exactly.
 */
export function withExactProducts(model: Model, dtypeOf: DtypeOf): Model {
  const shifting = new Shifting(model, dtypeOf);
  return shifting.run();
}

/** Operands of an integer contraction, each with its zero point. */
const pairs = [
  ['data', 'dataZeroPoint'],
  ['weight', 'weightZeroPoint'],
] as const;

function isSigned(node: Node, dtypeOf: DtypeOf): boolean {
  const weight = operandIndex(node, 'weight');
  const isInteger = has(node, 'contracts') && operandIndex(node, 'weightZeroPoint') !== undefined;
  return isInteger && weight !== undefined && dtypeOf(node.inputs[weight] ?? '') === 'int8';
}

class Shifting {
  private readonly names: FreshNames;
  private readonly constants;
  private readonly added: Tensor[] = [];
  private readonly shifted = new Map<string, string>();

  constructor(
    private readonly model: Model,
    private readonly dtypes: DtypeOf,
  ) {
    this.names = new FreshNames(model.graph);
    this.constants = findConstants(model.graph);
  }

  run(): Model {
    const { graph } = this.model;
    const nodes = graph.nodes.flatMap((node) =>
      isSigned(node, (name) => this.dtypeOf(name)) ? this.shift(node) : [node],
    );
    if (this.added.length === 0) return this.model;
    // Below IR version 4 initializers would have to be inputs too.
    const irVersion = Math.max(this.model.irVersion, 4);
    return { ...this.model, irVersion, graph: { ...graph, nodes, initializers: [...graph.initializers, ...this.added] } }; // prettier-ignore
  }

  private dtypeOf(name: string): DataType | undefined {
    return this.constants.get(name)?.tensor.dtype ?? this.dtypes(name);
  }

  private shift(node: Node): Node[] {
    const before: Node[] = [];
    const inputs = [...node.inputs];
    const set = (index: number, name: string): void => {
      while (inputs.length <= index) inputs.push('');
      inputs[index] = name;
    };
    let isOutput = false;
    for (const [operand, zero] of pairs) {
      const [index, at] = [operandIndex(node, operand), operandIndex(node, zero)];
      if (index === undefined || at === undefined || this.dtypeOf(inputs[index]!) !== 'int8') continue;
      set(index, this.unsigned(inputs[index]!, before));
      // Without a zero point it is 0.
      set(at, inputs[at] ? this.unsigned(inputs[at], before) : this.constant([128]));
      isOutput ||= operand === 'data' && this.dtypeOf(node.outputs[0]!) === 'int8';
    }
    if (!isOutput) return [...before, { ...node, inputs }];
    // The output has the type of the data.
    const at = operandIndex(node, 'outputZeroPoint')!;
    set(at, inputs[at] ? this.unsigned(inputs[at], before) : this.constant([128]));
    const [value] = node.outputs as [string];
    const result = this.names.take(value);
    return [...before, { ...node, inputs, outputs: [result] }, ...this.moved(result, value, subNode, 'int8')];
  }

  /** The value plus 128, as uint8. */
  private unsigned(name: string, nodes: Node[]): string {
    const source = this.constants.get(name);
    const key = source?.name ?? name;
    let out = source ? this.shifted.get(key) : undefined;
    if (out !== undefined) return out;
    out = this.names.take(name);
    if (source) {
      const { dims, data } = source.tensor;
      const bytes = data.bytes().map((byte) => byte ^ 128);
      this.added.push(rawTensor(out, 'uint8', dims, bytes.subarray(0, elementCount(dims))));
      this.shifted.set(key, out);
    } else nodes.push(...this.moved(name, out, addNode, 'uint8'));
    return out;
  }

  /** Nodes that write a value moved by 128, in another type of 8 bits. */
  private moved(from: string, to: string, by: typeof addNode, dtype: 'int8' | 'uint8'): Node[] {
    const [wide, sum] = [this.names.take(to), this.names.take(to)];
    return [
      castNode(from, 'int32', wide),
      by(wide, this.constant([128], 'int32'), sum),
      unnamed(castNode(sum, dtype, to)),
    ];
  }

  private constant(values: readonly number[], dtype: DataType = 'uint8'): string {
    const name = this.names.take('shift');
    this.added.push(integerTensor(name, values, [], dtype));
    return name;
  }
}
