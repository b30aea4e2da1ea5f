import { intAttribute, withAttribute } from '../onnx/attributes.js';
import { type DataType, dataTypeFromNumber } from '../onnx/data-type.js';
import type { Node } from '../onnx/model.js';
import { has, operandOf } from '../ops/index.js';

/**
 * Float types that onnxruntime's JavaScript API can't describe and that its CPU kernels don't take. Shapes don't
 * depend on them, so sessions for shapes have float32 in their place.
 */
const replaced: ReadonlySet<DataType | undefined> = new Set<DataType>([
  'bfloat16',
  'float8e4m3fn',
  'float8e4m3fnuz',
  'float8e5m2',
  'float8e5m2fnuz',
]);

/** The type a session for shapes uses for a value. */
export function sessionType(dtype: DataType): DataType {
  return replaced.has(dtype) ? 'float32' : dtype;
}

/** The node with types replaced where it names one: Cast. */
export function withSessionTypes(node: Node): Node {
  return replaced.has(castTarget(node)) ? withAttribute(node, 'to', { type: 'int', value: 1n }) : node;
}

/** The type of a node's output in the model, from the one reported by a session with replaced types. */
export function modelType(
  node: Node,
  reported: DataType,
  dtypeOf: (value: string) => DataType | undefined,
): DataType {
  if (reported !== 'float32') return reported;
  const target = castTarget(node);
  if (target !== undefined) return target;
  const decisive = operandOf(node, 'type');
  const inputs = decisive === undefined ? node.inputs : [decisive];
  return inputs.map(dtypeOf).find((dtype) => replaced.has(dtype)) ?? reported;
}

function castTarget(node: Node): DataType | undefined {
  if (!has(node, 'casts')) return undefined;
  const to = intAttribute(node, 'to');
  return to === undefined ? undefined : dataTypeFromNumber(to);
}
