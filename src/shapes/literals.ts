import { constantTensor } from '../ops/literal.js';
import { capturedNames } from '../onnx/graph-index.js';
import type { Graph, Node } from '../onnx/model.js';
import type { Tensor } from '../onnx/tensor.js';

/** The values that stand in the file: initializers and outputs of Constant nodes, by name. */
export function literalsOf(graph: Graph): Map<string, Tensor> {
  const literals = new Map<string, Tensor>();
  for (const tensor of graph.initializers) literals.set(tensor.name, tensor);
  for (const node of graph.nodes) {
    const tensor = constantTensor(node);
    if (tensor !== undefined) literals.set(tensor.name, tensor);
  }
  return literals;
}

/** Names a node reads: its inputs, and whatever its bodies (If, Loop, Scan) take from outside. */
export function usedNames(node: Node): readonly string[] {
  const captured = capturedNames(node);
  if (captured.length === 0 && !node.inputs.includes('')) return node.inputs;
  return [...node.inputs.filter((name) => name !== ''), ...captured];
}
