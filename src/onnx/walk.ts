import { graphAttributes } from './attributes.js';
import type { Graph, Model, Node } from './model.js';
import type { Tensor } from './tensor.js';

/** All tensors of a model, in a fixed order: initializers and attributes, of bodies and functions too. */
export function* allTensors(model: Model): Generator<Tensor> {
  const stack: Graph[] = [model.graph];
  const ofNodes = function* (nodes: readonly Node[]): Generator<Tensor> {
    for (const node of nodes) {
      for (const attribute of node.attributes.values()) {
        if (attribute.type === 'tensor') yield attribute.value;
        if (attribute.type === 'tensors') yield* attribute.value;
      }
      stack.push(...graphAttributes(node).map(({ graph }) => graph));
    }
  };
  for (const body of model.functions) yield* ofNodes(body.nodes);
  // Bodies are found on the way; a stack, since they may be nested deeply.
  for (let graph = stack.pop(); graph; graph = stack.pop()) {
    yield* graph.initializers;
    yield* ofNodes(graph.nodes);
  }
}
