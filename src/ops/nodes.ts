import { withAttribute } from '../onnx/attributes.js';
import { dataTypeToNumber, type DataType } from '../onnx/data-type.js';
import type { AttributeValue, Node } from '../onnx/model.js';
import type { Tensor } from '../onnx/tensor.js';

/** Attributes in short: a number is an int, a list ints, text a string; whole values pass as they are. */
export type ShortAttributes = Readonly<Record<string, number | readonly number[] | string | AttributeValue>>;

/** A node of the default domain, named after its first output. */
export function makeNode(
  opType: string,
  inputs: readonly string[],
  outputs: string | readonly string[],
  attributes: ShortAttributes = {},
): Node {
  const names = typeof outputs === 'string' ? [outputs] : outputs;
  const base = { name: names[0]!, opType, domain: '', inputs, outputs: names, docString: '' };
  return Object.entries(attributes).reduce<Node>(
    (node, [name, value]) => withAttribute(node, name, attributeValue(value)),
    { ...base, attributes: new Map() },
  );
}

/** Without its name: one that a node of the model has may be that of the value that is written. */
export const unnamed = (node: Node): Node => ({ ...node, name: '' });

/** A tensor that stands in the graph, as below IR version 4 initializers can't. */
export const constantNode = (tensor: Tensor): Node =>
  makeNode('Constant', [], tensor.name, { value: { type: 'tensor', value: tensor } });

export const identityNode = (x: string, output: string): Node => makeNode('Identity', [x], output);

/** The same node, passing on a value as it is. */
export const asIdentity = (node: Node, x: string): Node => ({
  ...node,
  opType: 'Identity',
  inputs: [x],
  attributes: new Map(),
});

export const addNode = (a: string, b: string, output: string): Node => makeNode('Add', [a, b], output);

export const subNode = (a: string, b: string, output: string): Node => makeNode('Sub', [a, b], output);

export const mulNode = (a: string, b: string, output: string): Node => makeNode('Mul', [a, b], output);

export const divNode = (a: string, b: string, output: string): Node => makeNode('Div', [a, b], output);

export const sqrtNode = (x: string, output: string): Node => makeNode('Sqrt', [x], output);

/** Over all axes, which stay with size 1. */
export const meanOfAllNode = (x: string, output: string): Node => makeNode('ReduceMean', [x], output);

export const matMulNode = (a: string, b: string, output: string): Node => makeNode('MatMul', [a, b], output);

/** A product of 8-bit integers, in int32. */
export const integerProductNode = (a: string, b: string, output: string): Node =>
  makeNode('MatMulInteger', [a, b], output);

/** A Bᵀ */
export const transposedProductNode = (a: string, b: string, output: string): Node =>
  makeNode('Gemm', [a, b], output, { transB: 1 });

export const gatherNode = (data: string, indices: string, axis: number, output: string): Node =>
  makeNode('Gather', [data, indices], output, { axis });

export const shapeNode = (x: string, output: string): Node => makeNode('Shape', [x], output);

/** Without its axes of size 1. */
export const squeezeNode = (x: string, output: string): Node => makeNode('Squeeze', [x], output);

export const whereNode = (condition: string, a: string, b: string, output: string): Node =>
  makeNode('Where', [condition, a, b], output);

export const castNode = (x: string, dtype: DataType, output: string): Node =>
  makeNode('Cast', [x], output, { to: dataTypeToNumber(dtype) });

function attributeValue(value: ShortAttributes[string]): AttributeValue {
  if (typeof value === 'number') return { type: 'int', value: BigInt(value) };
  if (typeof value === 'string') return { type: 'string', value: new TextEncoder().encode(value) };
  return 'type' in value ? value : { type: 'ints', value: value.map(BigInt) };
}
