import { findConstants } from '../ops/constants.js';
import { tensorAttribute } from '../onnx/attributes.js';
import { isFloat } from '../onnx/data-type.js';
import { capturedNames } from '../onnx/graph-index.js';
import type { Attribute, Graph, Model, Node } from '../onnx/model.js';
import { FreshNames } from '../onnx/names.js';
import { elementCount, type Tensor } from '../onnx/tensor.js';
import { floatsOf } from '../onnx/values.js';
import { has } from '../ops/index.js';

/** Copies at most: paths through a graph can multiply. */
const maxCopies = 1000;

/** Larger constants are taken to hold data. */
const maxFillerElements = 2 ** 16;

export interface CopiedFillers {
  readonly model: Model;
  /** A model that was made of it, without the copies that turned out equal. */
  readonly merge: (model: Model) => Model;
}

/**
 * Gives every reader of a filled value a copy of the nodes that make it. Its elements are all alike, so what one reader
 * drops needn't be dropped by the others: layers of a recurrent stack often start from slices of the same zeros.
 */
export function copyFillers(model: Model): CopiedFillers {
  const copying = new Copying(model.graph);
  return copying.isWanted && copying.run()
    ? { model: { ...model, graph: copying.graph() }, merge: (other) => mergeCopies(other, copying.originals) }
    : { model, merge: (other) => other };
}

/** A node of the graph or a copy of it. */
interface Instance {
  readonly node: Node;
  readonly inputs: string[];
  readonly outputs: readonly string[];
}

class Copying {
  /** The first output of the node that a copy was made of, by the copy's own. */
  readonly originals = new Map<string, string>();
  private readonly filled: ReadonlySet<number>;
  private readonly instances: Instance[][];
  private readonly names: FreshNames;

  constructor(private readonly given: Graph) {
    this.filled = filledNodes(given);
    this.instances = given.nodes.map((node) => [{ node, inputs: [...node.inputs], outputs: node.outputs }]);
    this.names = new FreshNames(given);
  }

  get isWanted(): boolean {
    return this.filled.size > 0;
  }

  /** False where it would take too many copies. */
  run(): boolean {
    const { nodes, outputs } = this.given;
    // Bodies and the outside go on reading the original.
    const kept = new Set(outputs.map(({ name }) => name));
    const readers = new Map<string, Set<number>>();
    nodes.forEach((node, index) => {
      for (const name of node.inputs) readers.set(name, (readers.get(name) ?? new Set()).add(index));
      for (const name of capturedNames(node)) kept.add(name);
    });
    // Backwards: a copy reads what the original reads, so that is copied in turn.
    for (let index = nodes.length - 1; index >= 0; index--) {
      if (!this.filled.has(index)) continue;
      const node = nodes[index]!;
      const reading = node.outputs.flatMap((name) => [...(readers.get(name) ?? [])]);
      const uses = [...new Set(reading)].flatMap((reader) => this.instances[reader]!);
      const isKept = node.outputs.some((name) => kept.has(name));
      for (const use of uses.slice(isKept ? 0 : 1)) {
        if (this.originals.size >= maxCopies) return false;
        const copy = this.copy(node);
        this.instances[index]!.push(copy);
        use.inputs.forEach((name, input) => {
          const output = name ? node.outputs.indexOf(name) : -1;
          if (output >= 0) use.inputs[input] = copy.outputs[output]!;
        });
      }
    }
    return this.originals.size > 0;
  }

  graph(): Graph {
    const nodes = this.instances.flatMap((instances) =>
      instances.map(({ node, inputs, outputs }) => ({ ...node, inputs, outputs })),
    );
    return { ...this.given, nodes };
  }

  private copy(node: Node): Instance {
    const outputs = node.outputs.map((name) => name && this.names.take(name));
    this.originals.set(outputs[0]!, node.outputs[0]!);
    return {
      node: { ...node, name: node.name && this.names.take(node.name) },
      inputs: [...node.inputs],
      outputs,
    };
  }
}

/** Nodes whose outputs hold one float many times. */
function filledNodes(graph: Graph): Set<number> {
  const sources = findConstants(graph);
  const values = new Set<string>();
  for (const [name, { tensor }] of sources) if (isUniform(tensor)) values.add(name);
  const nodes = new Set<number>();
  graph.nodes.forEach((node, index) => {
    if (sources.has(node.outputs[0] ?? '')) return;
    const isFill = has(node, 'fills')
      ? isFloat(tensorAttribute(node, 'value')?.dtype ?? 'float32')
      : has(node, 'moves') && !has(node, 'joins') && values.has(node.inputs[0] ?? '');
    if (!isFill) return;
    nodes.add(index);
    for (const name of node.outputs) values.add(name);
  });
  return nodes;
}

function isUniform(tensor: Tensor): boolean {
  const { dims, dtype, data } = tensor;
  const count = elementCount(dims);
  if (!isFloat(dtype) || count < 2 || count > maxFillerElements) return false;
  if (data.storage !== 'raw' && data.storage !== 'typed') return false;
  const values = floatsOf(tensor);
  return values.every((value) => value === values[0]);
}

/** Drops copies that do the same as another node of their kind. */
function mergeCopies(model: Model, originals: ReadonlyMap<string, string>): Model {
  const kinds = new Map<string, Node[]>();
  const renamed = new Map<string, string>();
  const sources = new Set(originals.values());
  const nodes = model.graph.nodes.flatMap((given): Node[] => {
    const inputs = given.inputs.map((name) => renamed.get(name) ?? name);
    const node = inputs.some((name, i) => name !== given.inputs[i]) ? { ...given, inputs } : given;
    const [output = ''] = node.outputs;
    const kind = originals.get(output) ?? (sources.has(output) ? output : undefined);
    if (kind === undefined) return [node];
    const known = kinds.get(kind) ?? [];
    const same = known.find((other) => isSame(other, node));
    if (!same) {
      kinds.set(kind, [...known, node]);
      return [node];
    }
    node.outputs.forEach((name, k) => renamed.set(name, same.outputs[k]!));
    return [];
  });
  return { ...model, graph: { ...model.graph, nodes } };
}

function isSame(a: Node, b: Node): boolean {
  return (
    a.opType === b.opType &&
    a.inputs.length === b.inputs.length &&
    a.inputs.every((name, i) => name === b.inputs[i]) &&
    a.attributes.size === b.attributes.size &&
    [...a.attributes].every(([name, attribute]) => isSameAttribute(attribute, b.attributes.get(name)))
  );
}

function isSameAttribute(a: Attribute, b: Attribute | undefined): boolean {
  if (a === b) return true;
  return (
    a.type === 'ints' && b?.type === 'ints' && a.value.length === b.value.length && a.value.every((x, i) => x === b.value[i]) // prettier-ignore
  );
}
