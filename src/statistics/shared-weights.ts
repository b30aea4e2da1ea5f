import type { ParameterUse } from '../axes/couple.js';
import type { Grouping, PruningGroup } from '../groups/group.js';
import type { Model, Node } from '../onnx/model.js';
import type { Tensor } from '../onnx/tensor.js';
import { has } from '../ops/index.js';

/** A model in which each use of a group's parameter has a tensor of its own, as far as groups see it so. */
export interface SplitModel {
  readonly model: Model;
  /** The tensors of groups by name, with the values they have in the grouping. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly nameOf: (use: ParameterUse) => string;
}

/** Exporters store equal vectors once; gradients are wanted per use. Tied matrices keep one gradient. */
export function splitSharedWeights(grouping: Grouping, groups: readonly PruningGroup[]): SplitModel {
  const { model } = grouping.analysis;
  const { graph } = model;
  const names = new Map<string, string>();
  const tensors = new Map<string, Tensor>();
  const inputs = new Map<number, string[]>();
  const taken = new Set([
    ...graph.initializers.map(({ name }) => name),
    ...graph.nodes.flatMap((n) => n.outputs),
  ]);
  const keyOf = ({ node, input, source }: ParameterUse): string =>
    source.tied ? source.name : `${source.name}\n${node}:${input}`;
  for (const { members } of groups)
    for (const { parameter } of members) {
      const { node, input, source } = parameter;
      if (source.tensor.dtype !== 'float32' || names.has(keyOf(parameter))) continue;
      let name = source.name;
      if (!source.tied) {
        name = `${source.name}@${node}.${input}`;
        while (taken.has(name)) name += '_';
        taken.add(name);
        const own = inputs.get(node) ?? [...graph.nodes[node]!.inputs];
        own[input] = name;
        inputs.set(node, own);
      }
      names.set(keyOf(parameter), name);
      tensors.set(name, { ...source.tensor, name });
    }
  const untied = [...tensors].filter(([name]) => !graph.initializers.some((tensor) => tensor.name === name));
  const constants = new Set(graph.nodes.filter((node) => has(node, 'literal')).map((n) => n.outputs[0]));
  const nodes = graph.nodes.map((node, index): Node => {
    const own = inputs.get(index);
    return own ? { ...node, inputs: own } : node;
  });
  const added = untied.filter(([name]) => !constants.has(name)).map(([, tensor]) => tensor);
  return {
    model: { ...model, graph: { ...graph, nodes, initializers: [...graph.initializers, ...added] } },
    tensors,
    nameOf: (use) => names.get(keyOf(use))!,
  };
}
