import type { DataType } from '../onnx/data-type.js';
import { rankedInfo } from '../onnx/graph-model.js';
import type { Model, Node } from '../onnx/model.js';

/** Values that are fed to a model under their own names, though its nodes write them. */
export interface Pins {
  /** Values that are computed and fetched all the same, under `computedName`. */
  readonly pinned: ReadonlySet<string>;
  /** Values whose nodes are left out. */
  readonly given: ReadonlySet<string>;
  /** Values that nothing gives: their nodes are left out too. */
  readonly lost: ReadonlySet<string>;
  readonly dtypeOf: (value: string) => DataType | undefined;
  readonly rankOf: (value: string) => number | undefined;
}

/** What a pinned value is called where it is computed. */
export const computedName = (value: string): string => `${value}:computed`;

/** The pins that a model computes. */
export function pinsIn({ graph }: Model, { pinned, given }: Pins): string[] {
  return graph.nodes.flatMap(({ outputs }) => outputs.filter((name) => pinned.has(name) || given.has(name)));
}

/** The model that goes on with the fed values from where it has computed its own. */
export function withPins(model: Model, pins: Pins): Model {
  const { graph } = model;
  const { pinned, given, lost, dtypeOf, rankOf } = pins;
  const names = pinsIn(model, pins);
  if (names.length === 0 && lost.size === 0) return model;
  const nodes = graph.nodes.flatMap((node): Node[] => {
    const { outputs } = node;
    if (outputs.some((name) => given.has(name) || lost.has(name))) return [];
    if (!outputs.some((name) => pinned.has(name))) return [node];
    return [{ ...node, outputs: outputs.map((name) => (pinned.has(name) ? computedName(name) : name)) }];
  });
  const inputs = names.map((name) => rankedInfo(name, dtypeOf(name)!, rankOf(name)));
  return { ...model, graph: { ...graph, nodes, inputs: [...graph.inputs, ...inputs] } };
}
