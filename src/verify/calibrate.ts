import type { AxisCoupling } from '../axes/couple.js';
import type { Model, Node } from '../onnx/model.js';
import type { Tensor } from '../onnx/tensor.js';
import { floatsOf } from '../onnx/values.js';
import { divNode, meanOfAllNode, mulNode, sqrtNode, unnamed } from '../ops/nodes.js';
import { drawsOf, withFloats } from './redraw.js';

/** Contractions whose weights are brought to such a size that they write values of mean square 1. */
export interface Scaling {
  /** The value that each writes, with the names of the constants that are scaled with it. */
  readonly constants: ReadonlyMap<string, readonly string[]>;
}

/**
 * Layers whose drawn weights are read by nothing else.
 * Method: layer-sequential unit variance (Mishkin and Matas, 2016, arXiv:1511.06422), in one run.
 */
export function scalingOf(
  analysis: AxisCoupling,
  model: Model,
  redrawn: ReadonlyMap<string, Tensor>,
): Scaling {
  const constants = new Map<string, string[]>();
  for (const [name, { nodes, part }] of drawsOf(analysis, model)) {
    const [index] = nodes;
    if (index === undefined || nodes.size > 1 || !redrawn.has(name)) continue;
    if (part !== 'weight' && part !== 'shift') continue;
    if (analysis.relations[index]?.contraction?.length !== 2) continue;
    const value = analysis.model.graph.nodes[index]!.outputs[0]!;
    constants.set(value, [...(constants.get(value) ?? []), name]);
  }
  return { constants };
}

const rootName = (value: string): string => `${value}:root-mean-square`;
const rawName = (value: string): string => `${value}:raw`;

/** The model with these values divided by the root of their mean square, which is an output under `names`. */
export function withScaledValues(
  model: Model,
  { constants }: Scaling,
): { readonly model: Model; readonly names: readonly string[] } {
  const { graph } = model;
  const names: string[] = [];
  const nodes = graph.nodes.flatMap((node): Node[] => {
    const [value] = node.outputs;
    if (value === undefined || !constants.has(value)) return [node];
    const [raw, square, mean, root] = [rawName(value), `${value}:square`, `${value}:mean`, rootName(value)];
    names.push(root);
    return [
      { ...node, outputs: node.outputs.with(0, raw) },
      mulNode(raw, raw, square),
      meanOfAllNode(square, mean),
      sqrtNode(mean, root),
      unnamed(divNode(raw, root, value)),
    ];
  });
  return { model: { ...model, graph: { ...graph, nodes } }, names };
}

/** The drawn constants divided by what came out of a run of `withScaledValues`. */
export function scaled(
  redrawn: ReadonlyMap<string, Tensor>,
  { constants }: Scaling,
  roots: ReadonlyMap<string, Tensor>,
): Map<string, Tensor> {
  const out = new Map(redrawn);
  for (const [value, names] of constants) {
    const root = floatsOf(roots.get(rootName(value))!)[0]!;
    // What is behind zeros stays as it is.
    if (!(root > 1e-12 && root < Infinity)) continue;
    for (const name of names) {
      const tensor = redrawn.get(name)!;
      out.set(name, withFloats(tensor, floatsOf(tensor).map((x) => x / root))); // prettier-ignore
    }
  }
  return out;
}
