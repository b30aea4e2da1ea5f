import type { Node } from '../onnx/model.js';
import { has } from '../ops/index.js';
import type { Fact } from './session-model.js';

/**
 * onnxruntime reports a scalar and a value of unknown rank alike, as `[]`; comparisons of opset 12 are of unknown rank
 * whatever they compare.
 * True if this node's empty shape is certain to be a scalar's; otherwise its rank has to be asked for.
 */
export function isCertainlyScalar(node: Node, factOf: (name: string) => Fact | undefined): boolean {
  // Of pointwise ops only scalars give a scalar.
  const isPointwise = has(node, 'pointwise');
  if (!isPointwise && !has(node, 'ranked')) return false;
  return node.inputs.every((name) => {
    if (name === '') return true;
    const shape = factOf(name)?.shape;
    return shape !== undefined && (!isPointwise || shape.length === 0);
  });
}
