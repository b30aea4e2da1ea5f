/** Readers and writers of node attributes. Readers throw PruneError `invalid-file` for an attribute of another kind. */
import { PruneError } from '../errors.js';
import type { Attribute, AttributeValue, Graph, Node } from './model.js';
import type { Tensor } from './tensor.js';

/** Integers past the safe range are clamped, as in `integersOf`. */
export function intAttribute(node: Node, name: string): number | undefined;
export function intAttribute(node: Node, name: string, fallback: number): number;
export function intAttribute(node: Node, name: string, fallback?: number): number | undefined {
  const value = read(node, name, 'int');
  return value === undefined ? fallback : clamp(value);
}

export function intsAttribute(node: Node, name: string): readonly number[] | undefined;
export function intsAttribute(node: Node, name: string, fallback: readonly number[]): readonly number[];
export function intsAttribute(node: Node, name: string, fallback?: readonly number[]) {
  return read(node, name, 'ints')?.map(clamp) ?? fallback;
}

export function floatAttribute(node: Node, name: string): number | undefined;
export function floatAttribute(node: Node, name: string, fallback: number): number;
export function floatAttribute(node: Node, name: string, fallback?: number): number | undefined {
  return read(node, name, 'float') ?? fallback;
}

export function floatsAttribute(node: Node, name: string): readonly number[] | undefined {
  return read(node, name, 'floats');
}

export function stringAttribute(node: Node, name: string): string | undefined;
export function stringAttribute(node: Node, name: string, fallback: string): string;
export function stringAttribute(node: Node, name: string, fallback?: string): string | undefined {
  const value = read(node, name, 'string');
  return value === undefined ? fallback : new TextDecoder().decode(value);
}

export function tensorAttribute(node: Node, name: string): Tensor | undefined {
  return read(node, name, 'tensor');
}

/** A subgraph of a node, with the attribute that holds it. */
export interface Subgraph {
  readonly attribute: string;
  /** Position in an attribute that is a list of graphs. */
  readonly index: number | undefined;
  readonly graph: Graph;
}

/** All bodies of If, Loop, Scan and the like. */
export function graphAttributes(node: Node): Subgraph[] {
  const graphs: Subgraph[] = [];
  for (const { name: attribute, ...content } of node.attributes.values()) {
    if (content.type === 'graph') graphs.push({ attribute, index: undefined, graph: content.value });
    if (content.type === 'graphs')
      content.value.forEach((graph, index) => graphs.push({ attribute, index, graph }));
  }
  return graphs;
}

/** The node with an attribute set; its doc string and unknown fields stay if it was there. */
export function withAttribute(node: Node, name: string, value: AttributeValue): Node {
  const { docString = '', unknown } = node.attributes.get(name) ?? {};
  const attribute: Attribute = { name, docString, reference: '', ...(unknown && { unknown }), ...value };
  return { ...node, attributes: new Map([...node.attributes, [name, attribute]]) };
}

export function withoutAttribute(node: Node, name: string): Node {
  if (!node.attributes.has(name)) return node;
  return { ...node, attributes: new Map([...node.attributes].filter(([key]) => key !== name)) };
}

type Values = { readonly [K in AttributeValue['type']]: Extract<AttributeValue, { type: K }>['value'] };

function read<K extends AttributeValue['type']>(node: Node, name: string, type: K): Values[K] | undefined {
  const attribute = node.attributes.get(name);
  if (!attribute) return undefined;
  if (attribute.reference)
    throw new PruneError(
      'unsupported',
      `attribute '${name}' of node '${node.name}' (${node.opType}) refers to a function's attribute; inline the function`,
    );
  if (attribute.type === type) return attribute.value as Values[K];
  throw new PruneError(
    'invalid-file',
    `attribute '${name}' of node '${node.name}' (${node.opType}) is of kind ${attribute.type}, not ${type}; export the model again`,
  );
}

function clamp(value: bigint): number {
  return Math.min(Number.MAX_SAFE_INTEGER, Math.max(Number.MIN_SAFE_INTEGER, Number(value)));
}
