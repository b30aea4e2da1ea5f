import { indexGraph } from '../onnx/graph-index.js';
import type { Model, Node } from '../onnx/model.js';
import { floatTensor, type FloatType } from '../onnx/values.js';
import type { DataType } from '../onnx/data-type.js';
import { asIdentity, mulNode } from '../ops/nodes.js';
import { ModelEdit } from '../edit/model-edit.js';
import type { Branch } from './branches.js';

export interface Shortened {
  readonly model: Model;
  /** Nodes of the given model that are gone: the branches, their sums, and what only they read. */
  readonly removed: readonly Node[];
}

/**
 * The model without residual branches: what read a sum reads its stream. A sum that is an output of the model, or that
 * a body reads, becomes an Identity, so that its name stays. All other values keep their names.
 */
export function removeBranches(model: Model, branches: readonly Branch[]): Shortened {
  const { graph } = model;
  const { outputs, captured } = indexGraph(graph);
  const pinned = new Set([...outputs, ...[...captured.values()].flat()]);
  const edit = new ModelEdit(model);
  const gone = new Map<number, Set<number>>();
  for (const { node, input } of branches) gone.set(node, (gone.get(node) ?? new Set()).add(input));

  /** What a removed sum stands for, by its name. */
  const streams = new Map<string, string>();
  graph.nodes.forEach((node, index) => {
    const without = gone.get(index);
    const current = node.inputs.map((name) => streams.get(name) ?? name);
    if (without) {
      const left = current.filter((_, input) => !without.has(input));
      const [sum] = node.outputs as [string];
      edit.removeNode(index);
      if (left.length > 1) edit.setNode(index, { ...node, inputs: left });
      else if (pinned.has(sum)) edit.setNode(index, asIdentity(node, left[0]!));
      else streams.set(sum, left[0]!);
    } else current.forEach((name, input) => edit.setInput(index, input, name));
  });
  const { model: shortened, removed } = edit.apply();
  const known = namesOf(shortened);
  const before = namesOf(model);
  const isLeft = (name: string): boolean => known.has(name) || !before.has(name);
  const { valueInfos, quantizationAnnotations } = graph;
  return {
    model: {
      ...shortened,
      graph: {
        ...shortened.graph,
        valueInfos: valueInfos.filter(({ name }) => isLeft(name)),
        quantizationAnnotations: quantizationAnnotations.filter(({ tensorName }) => isLeft(tensorName)),
      },
    },
    removed,
  };
}

function namesOf({ graph }: Model): Set<string> {
  return new Set([
    ...graph.nodes.flatMap(({ outputs }) => outputs),
    ...[...graph.inputs, ...graph.initializers].map(({ name }) => name),
  ]);
}

/**
 * The model with what each branch adds multiplied by a scalar: the oracle of `removeBranches` where that is zero, and
 * what scores branches where it is fed. All values keep their names.
 * @param gateOf names the scalar of a branch; default: a constant zero
 */
export function gateBranches(
  model: Model,
  branches: readonly Branch[],
  dtypeOf: (value: string) => DataType | undefined,
  gateOf?: (branch: Branch) => string,
): Model {
  const edit = new ModelEdit(model);
  for (const branch of branches) {
    const { node, input, value } = branch;
    const gate = gateOf?.(branch) ?? edit.names.take(`${value}_zero`);
    if (!gateOf) edit.addTensor(floatTensor(gate, [0], [], (dtypeOf(value) ?? 'float32') as FloatType));
    const gated = edit.names.take(`${value}_gated`);
    edit.insertBefore(node, [mulNode(value, gate, gated)]);
    edit.setInput(node, input, gated);
  }
  return edit.apply().model;
}
