import { graphAttributes } from '../onnx/attributes.js';
import { constantTensor } from '../onnx/constant.js';
import type { Graph, Node } from '../onnx/model.js';
import type { Tensor } from '../onnx/tensor.js';

/** The values that stand in the file: initializers and outputs of Constant nodes, by name. */
export function literalsOf(graph: Graph): Map<string, Tensor> {
  const literals = new Map<string, Tensor>();
  for (const tensor of graph.initializers) literals.set(tensor.name, tensor);
  for (const node of graph.nodes) {
    const tensor = constantTensor(node);
    if (tensor !== undefined) literals.set(node.outputs[0]!, tensor);
  }
  return literals;
}

/**
 * Names a node reads: its inputs, and whatever its bodies (If, Loop, Scan) take from outside.
 * Names defined inside a body are left out, absent optional inputs too.
 */
export function usedNames(node: Node): readonly string[] {
  const bodies = graphAttributes(node).map(({ graph }) => graph);
  if (bodies.length === 0)
    return node.inputs.includes('') ? node.inputs.filter((name) => name !== '') : node.inputs;
  const used = new Set(node.inputs);
  const defined = new Set(['']);
  for (const body of bodies) {
    for (const input of body.inputs) defined.add(input.name);
    for (const tensor of body.initializers) defined.add(tensor.name);
    for (const output of body.outputs) used.add(output.name);
    for (const inner of body.nodes) {
      for (const name of inner.outputs) defined.add(name);
      for (const name of inner.inputs) used.add(name);
      bodies.push(...graphAttributes(inner).map(({ graph }) => graph)); // the loop sees what it appends: nested bodies without recursion
    }
  }
  // A name may be both defined in one body and captured in another: the node's own inputs are never dropped.
  return [...used].filter((name) => name !== '' && (!defined.has(name) || node.inputs.includes(name)));
}
