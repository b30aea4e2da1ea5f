import { findConstants, type ConstantSource } from '../ops/constants.js';
import { capturedNames } from '../onnx/graph-index.js';
import type { Model } from '../onnx/model.js';
import { sliceTensor } from '../onnx/slice.js';
import type { Tensor } from '../onnx/tensor.js';
import { has } from '../ops/index.js';
import type { ModelEdit } from '../edit/model-edit.js';

/** One use of a parameter, sliced. */
export interface TensorSlice {
  /** Index of the node in the dense graph. */
  readonly node: number;
  readonly input: number;
  /** Name of the tensor in the dense model. */
  readonly initializer: string;
  /** Kept indices by axis, only of axes that lose something. */
  readonly axes: ReadonlyMap<number, Int32Array>;
}

/** What a use of a parameter needs instead of the dense tensor. */
export interface Replacement {
  readonly node: number;
  readonly input: number;
  /** Equal for uses that need the same tensor; `''` where the dense one stays. */
  readonly key: string;
  make(tensor: Tensor): Tensor;
}

export function sliceOf(node: number, input: number, axes: ReadonlyMap<number, Int32Array>): Replacement {
  const key = [...axes].map(([axis, kept]) => `${axis}:${kept.join()}`).join(';');
  return { node, input, key, make: (tensor) => sliceTensor(tensor, axes) };
}

/**
 * Gives every use of every parameter the tensor it needs. Where all uses of a tensor need the same, it is replaced
 * under its own name; else each distinct need gets a tensor of its own, named after the `Identity` that the use
 * reads through, if there is one.
 */
export function replaceParameters(model: Model, edit: ModelEdit, replacements: readonly Replacement[]): void {
  if (replacements.length === 0) return;
  const readers = new Readers(model);
  const bySource = new Map<ConstantSource, Map<string, Replacement>>();
  for (const replacement of replacements) {
    const name = model.graph.nodes[replacement.node]!.inputs[replacement.input]!;
    const source = readers.sources.get(name)!;
    let needed = bySource.get(source);
    if (!needed) bySource.set(source, (needed = new Map<string, Replacement>()));
    needed.set(useKey(replacement), replacement);
  }
  for (const [source, needed] of bySource) replaceSource(edit, source, needed, readers);
}

interface Use {
  /** Index of the reading node; -1 for what needs the value as it is: graph outputs, bodies of nodes, aliases. */
  readonly node: number;
  readonly input: number;
}

const useKey = ({ node, input }: Use): string => `${node}:${input}`;

/** Who reads each parameter, under which of its names. */
class Readers {
  readonly sources: ReadonlyMap<string, ConstantSource>;
  /** The node that makes an alias of a parameter, by the alias. */
  readonly aliasNodes = new Map<string, number>();
  private readonly bySource = new Map<ConstantSource, Map<string, Use[]>>();

  constructor({ graph }: Model) {
    this.sources = findConstants(graph);
    graph.nodes.forEach((node, index) => {
      const [output = ''] = node.outputs;
      const isAlias = has(node, 'alias') && this.sources.has(output);
      if (isAlias) this.aliasNodes.set(output, index);
      node.inputs.forEach((name, input) => {
        if (!isAlias) this.add(name, { node: index, input });
        else if (this.aliasNodes.has(name)) this.add(name, { node: -1, input: 0 });
      });
      for (const name of capturedNames(node)) this.add(name, { node: -1, input: 0 });
    });
    for (const { name } of graph.outputs) this.add(name, { node: -1, input: 0 });
  }

  of(source: ConstantSource): ReadonlyMap<string, readonly Use[]> {
    return this.bySource.get(source)!;
  }

  private add(name: string, use: Use): void {
    const source = this.sources.get(name);
    if (!source) return;
    let names = this.bySource.get(source);
    if (!names) this.bySource.set(source, (names = new Map<string, Use[]>()));
    const uses = names.get(name);
    if (uses) uses.push(use);
    else names.set(name, [use]);
  }
}

function replaceSource(
  edit: ModelEdit,
  source: ConstantSource,
  needed: ReadonlyMap<string, Replacement>,
  readers: Readers,
): void {
  const keyOf = (use: Use): string => needed.get(useKey(use))?.key ?? '';
  const byKey = new Map<string, Use[]>();
  for (const uses of readers.of(source).values())
    for (const use of uses) {
      const list = byKey.get(keyOf(use));
      if (list) list.push(use);
      else byKey.set(keyOf(use), [use]);
    }

  // The dense tensor keeps its name where it is still needed; else the first need takes it over.
  const [owner] = byKey.has('') ? [''] : byKey.keys();
  for (const [key, uses] of byKey) {
    if (key === '') continue;
    const tensor = needed.get(useKey(uses[0]!))!.make(source.tensor);
    if (key === owner) {
      edit.replaceTensor({ ...tensor, name: source.name });
      continue;
    }
    const alias = [...readers.of(source)].find(
      ([name, list]) => readers.aliasNodes.has(name) && list.every((use) => keyOf(use) === key),
    )?.[0];
    if (alias !== undefined) edit.removeNode(readers.aliasNodes.get(alias)!);
    const name = alias ?? edit.names.take(source.name);
    edit.addTensor({ ...tensor, name });
    for (const { node, input } of uses) edit.setInput(node, input, name);
  }
}
