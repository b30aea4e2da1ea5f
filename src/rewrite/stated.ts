import { parseExtent } from '../axes/notation.js';
import { expressionAxis } from '../axes/products.js';
import type { StatedRelation } from '../axes/relation.js';
import { floatAttribute } from '../onnx/attributes.js';
import type { Node } from '../onnx/model.js';
import type { AxisChange, Projection } from '../plan/projection.js';
import type { NodeChange } from './rule.js';

/** What a plan does to an expression of a relation's letters. */
export function extentOf(text: string, { letters }: StatedRelation, projection: Projection): AxisChange {
  return projection.of(expressionAxis(parseExtent(text), letters));
}

/**
 * What follows from a node's relation alone: the attributes that hold sizes, and the divisor of attention scores, the
 * root of the dense head size, which stays as it was.
 */
export function statedChange(node: Node, relation: StatedRelation, projection: Projection): NodeChange {
  const int: Record<string, number> = {};
  for (const [text, source] of Object.entries(relation.sizes ?? {})) {
    if (typeof source === 'number') continue;
    const { before, after } = extentOf(text, relation, projection);
    if (after !== before) int[source.attribute] = after;
  }
  const head = relation.attention && extentOf(relation.attention.headSize, relation, projection);
  if (!head || head.after === head.before) return { int };
  return { int, float: { scale: floatAttribute(node, 'scale', 0) || 1 / Math.sqrt(head.before) } };
}
