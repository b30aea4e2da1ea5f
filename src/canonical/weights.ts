import { intAttribute } from '../onnx/attributes.js';
import { isFloat } from '../onnx/data-type.js';
import { capturedNames } from '../onnx/graph-index.js';
import type { Model, Node } from '../onnx/model.js';
import { elementCount } from '../onnx/tensor.js';
import { has } from '../ops/index.js';
import { ModelEdit } from '../edit/model-edit.js';
import type { Runtime } from '../runtime/runtime.js';
import { evaluateConstants } from '../shapes/evaluate.js';
import { literalsOf, usedNames } from '../shapes/literals.js';

/** Constants with more elements together than this are left as they are computed. */
const maxElements = 2 ** 28;

/**
 * Replaces weights that the graph normalises itself (weight standardisation, weight norm) by their values. Each of
 * their elements depends on statistics over channels, which could not lose any; as plain constants they can, and what
 * is left of them stays what it was. The other constant expressions stay as the file has them.
 */
export async function foldWeights(model: Model, runtime: Runtime): Promise<Model> {
  const wanted = normalisedWeights(model);
  if (wanted.size === 0) return model;
  // Optimised as in the sessions of those who use the model: without, onnxruntime 1.30 gets a BatchNormalization in
  // training mode wrong whose scale and variance are one tensor.
  const settings = { maxFloats: maxElements, optimization: 'all' } as const;
  const values = await evaluateConstants(model, runtime, () => undefined, wanted.keys(), settings);
  const edit = new ModelEdit(model);
  for (const [name, index] of wanted) {
    const tensor = values.get(name);
    if (!tensor || !isFloat(tensor.dtype) || elementCount(tensor.dims) < 2) continue;
    edit.removeNode(index);
    edit.addTensor(tensor);
  }
  return edit.apply().model;
}

/** Constant values behind a statistic that something reads that is not constant, with the nodes that write them. */
function normalisedWeights({ graph }: Model): Map<string, number> {
  const literals = literalsOf(graph);
  const isInput = new Set(graph.inputs.map(({ name }) => name));
  /** Whether a constant value lies behind a statistic. */
  const constants = new Map<string, boolean>();
  const sizes = new Map<string, number>();
  for (const [name, { dtype, dims }] of literals) {
    // Whoever calls the model may feed another value.
    if (isInput.has(name)) continue;
    constants.set(name, false);
    if (isFloat(dtype)) sizes.set(name, elementCount(dims));
  }
  const writers = new Map<string, number>();
  const elements = (node: Node): number => Math.max(0, ...node.inputs.map((name) => sizes.get(name) ?? 0));
  const pinned = new Set(graph.outputs.map(({ name }) => name));
  const read = new Set([...pinned, ...graph.nodes.flatMap(usedNames)]);
  graph.nodes.forEach((node, index) => {
    const operands = usedNames(node);
    const isConstant = operands.length > 0 && operands.every((name) => constants.has(name));
    // Replaced are nodes that give one value, by ops without bodies.
    const [output = '', ...others] = node.outputs.filter((name) => read.has(name));
    if (node.domain !== '' || !isConstant || others.length > 0 || capturedNames(node).length > 0) return;
    // In training mode a normalisation takes statistics of its own.
    const isStatistic = has(node, 'statistic') || intAttribute(node, 'training_mode', 0) === 1;
    const behind = isStatistic && elements(node) > 1;
    constants.set(output, behind || operands.some((name) => constants.get(name)));
    sizes.set(output, elements(node));
    if (!pinned.has(output)) writers.set(output, index);
  });

  const wanted = new Map<string, number>();
  for (const node of graph.nodes) {
    if (node.outputs.some((name) => constants.has(name))) continue;
    for (const name of usedNames(node)) {
      const index = writers.get(name);
      if (index !== undefined && constants.get(name)) wanted.set(name, index);
    }
  }
  return wanted;
}
