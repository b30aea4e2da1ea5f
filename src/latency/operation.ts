import type { Axis } from '../axes/axis.js';
import type { CostModel, SizeOf } from '../cost/cost.js';
import { evaluate, polynomialKey, type Monomial } from '../cost/polynomial.js';
import type { Grouping } from '../groups/group.js';
import type { DataType } from '../onnx/data-type.js';
import type { Model, Node } from '../onnx/model.js';
import { has } from '../ops/index.js';

/** A constant times widths, by number; none for a dimension that pruning leaves alone. */
interface Dimension {
  readonly coefficient: number;
  readonly widths: readonly number[];
}

interface Operand {
  /** Which input of the node it is. */
  readonly input: number;
  readonly dtype: DataType;
  readonly dims: readonly Dimension[];
  readonly isWeight: boolean;
}

/** One node with weights, as a function of its widths (input channels, output channels ...). */
export interface Operation {
  /** The same for all nodes that take the same time at the same widths. */
  readonly signature: string;
  /** The widths of the dense model. */
  readonly dense: readonly number[];
  /** The widths under a plan. */
  widths(count: SizeOf): number[];
  readonly node: Node;
  /** The model that the node is of. */
  readonly model: Model;
  readonly operands: readonly Operand[];
  readonly macs: number;
  /** Bytes of its weights. */
  readonly bytes: number;
}

/** The share of all multiply-adds below which an op is not worth a measurement. */
const negligible = 0.001;

/** The operations of a model that are worth measuring; everything else is taken to be as slow as its outputs are large. */
export function operationsOf(
  { analysis }: Grouping,
  cost: CostModel,
  dtypeOf: (value: string) => DataType | undefined,
): Operation[] {
  const uses = new Map(analysis.parameters.map((use) => [`${use.node}:${use.input}`, use]));
  const weighted = new Set([...cost.operands].map(({ node }) => node));
  const all = cost.macs();
  const byNode = cost.byNode();
  return analysis.model.graph.nodes.flatMap((node, index): Operation[] => {
    const { macs, bytes } = byNode[index]!;
    if (!has(node, 'timed') || !weighted.has(index) || macs < negligible * all) return [];
    const widths: (readonly Monomial[])[] = [];
    const keys = new Map<string, number>();
    const widthOf = (extent: readonly Monomial[]): number => {
      const key = polynomialKey(extent);
      if (!keys.has(key)) {
        keys.set(key, widths.length);
        widths.push(extent);
      }
      return keys.get(key)!;
    };
    const dimension = (axis: Axis): Dimension => {
      const extent = cost.extentOf(axis);
      if (extent.every(({ variables }) => variables.length === 0))
        return { coefficient: axis.size, widths: [] };
      const [first, ...others] = extent;
      // Factors of a product are widths of their own: the groups of a convolution must stay whole numbers.
      if (first && others.length === 0) {
        const factors = first.variables.map((variable) =>
          widthOf([{ coefficient: 1, variables: [variable] }]),
        );
        return { coefficient: first.coefficient, widths: factors };
      }
      return { coefficient: 1, widths: [widthOf(extent)] };
    };
    const operands: Operand[] = [];
    for (const [input, name] of node.inputs.entries()) {
      if (!name) continue;
      const use = uses.get(`${index}:${input}`);
      const axes = use?.axes ?? analysis.axes.get(name);
      const dtype = use?.source.tensor.dtype ?? dtypeOf(name);
      if (!axes || dtype === undefined || axes.some(({ size }) => Number.isNaN(size))) return [];
      operands.push({ input, dtype, dims: axes.map(dimension), isWeight: use !== undefined });
    }
    const dense = widths.map((width) => evaluate(width, ({ size }) => size));
    return [
      {
        signature: signatureOf(node, operands, dense),
        dense,
        widths: (count) => widths.map((width) => evaluate(width, count)),
        ...{ node, model: analysis.model, operands },
        ...{ macs, bytes },
      },
    ];
  });
}

function signatureOf(node: Node, operands: readonly Operand[], dense: readonly number[]): string {
  const attributes = [...node.attributes.values()]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, value }) => [name, value]);
  const shapes = operands.map(({ dims, dtype, isWeight }) => [dtype, isWeight, dims]);
  return JSON.stringify([node.opType, attributes, shapes, dense], (_, value: unknown) =>
    typeof value === 'bigint' ? Number(value) : value,
  );
}
