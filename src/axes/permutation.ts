import { indexGraph, type GraphIndex } from '../onnx/graph-index.js';
import { intAttribute, intsAttribute } from '../onnx/attributes.js';
import type { Graph, Node } from '../onnx/model.js';
import { has } from '../ops/index.js';

/**
 * Positions of one axis in a new order, known from the file alone: a Reshape, Transpose and Reshape that only shuffle
 * one axis, or a Gather with constant indices. Written as products of factors a shuffle would tie channels of the
 * network together block by block; as a permutation of single positions it leaves each of them free.
 */
export interface Permutation {
  /** The nodes that make it up, in graph order; the first reads `input`, the last writes `output`. */
  readonly nodes: readonly number[];
  readonly input: string;
  readonly output: string;
  readonly axis: number;
  /** For each position of the output the position of the input that it holds. */
  readonly sources: Int32Array;
}

interface Facts {
  readonly shapeOf: (value: string) => readonly (number | undefined)[] | undefined;
  readonly numbersOf: (value: string) => readonly number[] | undefined;
}

/** The permutations of activations, by their first node. */
export function findPermutations(
  graph: Graph,
  facts: Facts,
  isParameter: (value: string) => boolean,
): ReadonlyMap<number, Permutation> {
  const found = new Map<number, Permutation>();
  const relevant = graph.nodes.some((node) => has(node, 'permutes', 'gathers'));
  if (!relevant) return found;
  const index = indexGraph(graph);
  graph.nodes.forEach((node, i) => {
    const permutation = has(node, 'permutes')
      ? shuffleAround(node, i, index, facts)
      : has(node, 'gathers') && !isParameter(node.inputs[0]!)
        ? constantGather(node, i, facts)
        : undefined;
    if (permutation) found.set(permutation.nodes[0]!, permutation);
  });
  return found;
}

/** A Transpose between two Reshapes that take an axis apart and put it together again. */
function shuffleAround(
  node: Node,
  at: number,
  { producer, consumers, outputs }: GraphIndex,
  { shapeOf }: Facts,
): Permutation | undefined {
  const first = producer.get(node.inputs[0]!);
  const [last, ...others] = consumers.get(node.outputs[0]!) ?? [];
  if (!first || !last || others.length > 0 || !has(first.node, 'reshapes') || !has(last.node, 'reshapes'))
    return undefined;
  if (last.input !== 0 || consumers.get(node.inputs[0]!)!.length > 1) return undefined;
  if (outputs.has(node.inputs[0]!) || outputs.has(node.outputs[0]!)) return undefined;
  const input = first.node.inputs[0]!;
  const output = last.node.outputs[0]!;
  const [from, apart, to] = [shapeOf(input), shapeOf(node.inputs[0]!), shapeOf(output)];
  if (!isKnown(from) || !isKnown(apart) || !isKnown(to)) return undefined;
  if (from.length !== to.length || from.some((dim, i) => dim !== to[i])) return undefined;
  const run = apart.length - from.length + 1;
  const order = intsAttribute(node, 'perm') ?? apart.map((_, i) => apart.length - 1 - i);
  const axis = from.findIndex(
    (_, a) =>
      from.slice(0, a).every((dim, i) => dim === apart[i] && order[i] === i) &&
      from.slice(a + 1).every((dim, i) => dim === apart[a + run + i] && order[a + run + i] === a + run + i),
  );
  if (run < 2 || axis < 0) return undefined;
  const dims = apart.slice(axis, axis + run);
  const inner = order.slice(axis, axis + run).map((o) => o - axis);
  if (inner.every((o, i) => o === i)) return undefined;
  return { nodes: [first.index, at, last.index], input, output, axis, sources: transposed(dims, inner) };
}

/** Positions of a row-major array after a transposition. */
function transposed(dims: readonly number[], order: readonly number[]): Int32Array {
  const strides = dims.map((_, i) => dims.slice(i + 1).reduce((product, dim) => product * dim, 1));
  let positions = [0];
  for (const axis of order)
    positions = positions.flatMap((start) =>
      Array.from({ length: dims[axis]! }, (_, k) => start + k * strides[axis]!),
    );
  return Int32Array.from(positions);
}

function constantGather(node: Node, at: number, { shapeOf, numbersOf }: Facts): Permutation | undefined {
  const from = shapeOf(node.inputs[0]!);
  const indices = shapeOf(node.inputs[1]!);
  if (!from || indices?.length !== 1) return undefined;
  const given = intAttribute(node, 'axis', 0);
  const axis = given < 0 ? given + from.length : given;
  const size = from[axis];
  const picked = size !== undefined && size > 1 ? numbersOf(node.inputs[1]!) : undefined;
  if (!picked || picked.length < 2) return undefined;
  const sources = Int32Array.from(picked, (i) => (i < 0 ? i + size! : i));
  if (sources.some((i) => i < 0 || i >= size!)) return undefined;
  return { nodes: [at], input: node.inputs[0]!, output: node.outputs[0]!, axis, sources };
}

function isKnown(shape: readonly (number | undefined)[] | undefined): shape is readonly number[] {
  return shape?.every((dim) => dim !== undefined && dim > 0) ?? false;
}
