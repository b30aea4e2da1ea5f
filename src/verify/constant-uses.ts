import type { AxisCoupling } from '../axes/couple.js';
import { nodeLabel } from '../onnx/names.js';
import { isFloat, type DataType } from '../onnx/data-type.js';
import { findConstants, type ConstantSource } from '../ops/constants.js';
import { capturedNames } from '../onnx/graph-index.js';
import type { Model, Node } from '../onnx/model.js';
import { FreshNames } from '../onnx/names.js';
import { sliceTensor } from '../onnx/slice.js';
import { elementCount, type Tensor } from '../onnx/tensor.js';
import { floatTensor, type FloatType } from '../onnx/values.js';
import type { Projection } from '../plan/projection.js';
import { isEqual, sameBytes, sameDims, type Kept } from './difference.js';
import type { ProofFailure } from './report.js';

/** An input of a node that is a constant in the dense model, and the node of the pruned model that stands for it. */
interface Use {
  readonly source: ConstantSource;
  readonly kept: Kept;
  readonly dense: number;
  readonly pruned: number;
  readonly input: number;
  /** Undefined where the pruned model has no constant there. */
  readonly tensor: Tensor | undefined;
}

/**
 * Where the nodes of an analysis stand in a model that is made of the analysed one, by index: it may have more nodes.
 * Nodes are the same where they write the same values.
 */
export function placesIn({ model: { graph } }: AxisCoupling, model: Model): Map<number, number> {
  const writers = new Map<string, number>();
  model.graph.nodes.forEach(({ outputs }, index) => {
    for (const name of outputs) if (name) writers.set(name, index);
  });
  return new Map(
    graph.nodes.flatMap(({ outputs }, index): [number, number][] => {
      const place = writers.get(outputs.find(Boolean) ?? '');
      return place === undefined ? [] : [[index, place]];
    }),
  );
}

/** Integers that aren't weights are sizes and indices, which follow the plan in ways of their own. */
const weightTypes: ReadonlySet<DataType> = new Set<DataType>(['int8', 'uint8', 'int16', 'uint16']);

/**
 * Constants of both models, use by use: nodes are the same where they write the same values, and a constant of the
 * pruned model is its dense one on the kept positions.
 */
export class ConstantUses {
  private readonly uses: readonly Use[];
  /** Node of the pruned model, by each value that it writes. */
  private readonly writers = new Map<string, number>();
  private readonly constants: ReadonlyMap<string, ConstantSource>;

  constructor(
    analysis: AxisCoupling,
    projection: Projection,
    private readonly dense: Model,
    private readonly pruned: Model,
  ) {
    pruned.graph.nodes.forEach(({ outputs }, index) => {
      for (const name of outputs) if (name) this.writers.set(name, index);
    });
    this.constants = findConstants(pruned.graph);
    const sources = findConstants(dense.graph);
    const places = placesIn(analysis, dense);
    this.uses = analysis.parameters.flatMap(({ node: analysed, input, axes }): Use[] => {
      const node = places.get(analysed);
      const counterpart = node === undefined ? undefined : this.counterpartOf(node);
      const source = node === undefined ? undefined : sources.get(dense.graph.nodes[node]!.inputs[input]!);
      if (!source || node === undefined || counterpart === undefined) return [];
      const kept = new Map<number, Int32Array>();
      axes.forEach((axis, i) => {
        const indices = projection.kept(axis);
        if (indices) kept.set(i, indices);
      });
      const name = pruned.graph.nodes[counterpart]!.inputs[input] ?? '';
      const tensor = this.constants.get(name)?.tensor;
      return [{ source, kept, dense: node, pruned: counterpart, input, tensor }];
    });
  }

  /** Index of the node of the pruned model that writes what a dense node does. */
  counterpartOf(index: number): number | undefined {
    const name = this.dense.graph.nodes[index]!.outputs.find(Boolean);
    return name === undefined ? undefined : this.writers.get(name);
  }

  /**
   * The first node of the pruned model that reads another of the dense model's values than its own node does: with weights
   * that make a layer between them the identity, the numbers would not tell.
   */
  wrongWiring(): ProofFailure | undefined {
    const values = new Set(this.dense.graph.nodes.flatMap(({ outputs }) => outputs));
    for (const { name } of this.dense.graph.inputs) values.add(name);
    for (const [index, { inputs }] of this.dense.graph.nodes.entries()) {
      const counterpart = this.counterpartOf(index);
      if (counterpart === undefined) continue;
      const node = this.pruned.graph.nodes[counterpart]!;
      const at = inputs.findIndex((name, k) => {
        const now = node.inputs[k] ?? '';
        return name !== now && this.writers.has(name) && values.has(now) && !this.constants.has(now);
      });
      if (at < 0) continue;
      const label = nodeLabel(node, counterpart);
      const message = `input ${at} of '${label}' reads '${node.inputs[at]}' instead of '${inputs[at]}'`;
      return { kind: 'weight', value: inputs[at]!, node: label, op: node.opType, message };
    }
    return undefined;
  }

  /** The first weight of the pruned model that isn't the dense one with the plan's positions removed. */
  wrongWeight(): ProofFailure | undefined {
    for (const use of this.uses) {
      const { dtype } = use.source.tensor;
      if (!isFloat(dtype) && !weightTypes.has(dtype)) continue;
      if (this.isSliced(use)) continue;
      const node = this.pruned.graph.nodes[use.pruned]!;
      const label = nodeLabel(node, use.pruned);
      const message = `input ${use.input} of '${label}' isn't '${use.source.name}' of the dense model with the plan's channels removed`;
      return { kind: 'weight', value: use.source.name, node: label, op: node.opType, message };
    }
    return undefined;
  }

  /** Whether the pruned node holds at every constant input what the dense one does, on the kept positions. */
  areSliced(index: number, { withValues }: { readonly withValues: boolean }): boolean {
    return this.uses.every((use) => {
      if (use.dense !== index) return true;
      if (withValues || !isFloat(use.source.tensor.dtype)) return this.isSliced(use);
      return use.tensor !== undefined && sameDims(use.tensor.dims, slicedDims(use));
    });
  }

  /**
   * The pruned model with constants cut from other dense ones.
   * @param redrawn by name of the dense constant; the others are taken as they are in the dense model if `all` says so
   */
  withWeights(redrawn: ReadonlyMap<string, Tensor>, { all }: { readonly all: boolean }): Model {
    const { graph } = this.pruned;
    const names = new FreshNames(graph);
    const made = new Map<string, string>();
    const added: Tensor[] = [];
    const inputs = new Map<number, string[]>();
    const replace = (node: number, input: number, key: string, make: () => Tensor): void => {
      let name = made.get(key);
      if (name === undefined) {
        name = names.take('redrawn');
        made.set(key, name);
        added.push({ ...make(), name });
      }
      let list = inputs.get(node);
      if (!list) inputs.set(node, (list = [...graph.nodes[node]!.inputs]));
      list[input] = name;
    };
    for (const { source, kept, pruned, input, tensor } of this.uses) {
      const other = redrawn.get(source.name) ?? (all ? source.tensor : undefined);
      if (!tensor || !other || !isFloat(source.tensor.dtype)) continue;
      const key = `${source.name}:${[...kept].map(([axis, list]) => `${axis}:${list.join()}`).join(';')}`;
      replace(pruned, input, key, () => sliceTensor(other, kept));
    }
    if (all)
      for (const { node, input, tensor } of this.addedBiases())
        replace(node, input, `bias:${node}:${input}`, () => {
          const zeros = new Float32Array(elementCount(tensor.dims));
          return floatTensor('', zeros, tensor.dims, tensor.dtype as FloatType);
        });
    const nodes = graph.nodes.map((node, i): Node => ({ ...node, inputs: inputs.get(i) ?? node.inputs }));
    const used = new Set(nodes.flatMap((node) => [...node.inputs, ...capturedNames(node)]));
    for (const { name } of graph.outputs) used.add(name);
    const initializers = [...graph.initializers.filter(({ name }) => used.has(name)), ...added];
    const isGone = new Set(graph.initializers.filter(({ name }) => !used.has(name)).map(({ name }) => name));
    return {
      ...this.pruned,
      // Below IR version 4 initializers would have to be inputs too.
      irVersion: Math.max(this.pruned.irVersion, 4),
      graph: {
        ...graph,
        nodes,
        initializers,
        inputs: graph.inputs.filter(({ name }) => !isGone.has(name)),
      },
    };
  }

  /** Float constants at inputs that the dense node leaves out: biases of reconstructed layers. */
  private *addedBiases(): Iterable<{
    readonly node: number;
    readonly input: number;
    readonly tensor: Tensor;
  }> {
    for (const [index, { inputs }] of this.dense.graph.nodes.entries()) {
      const node = this.counterpartOf(index);
      if (node === undefined) continue;
      for (const [input, name] of this.pruned.graph.nodes[node]!.inputs.entries()) {
        const tensor = inputs[input] ? undefined : this.constants.get(name)?.tensor;
        if (tensor && isFloat(tensor.dtype)) yield { node, input, tensor };
      }
    }
  }

  private isSliced({ source, kept, tensor }: Use): boolean {
    if (!tensor || tensor.dtype !== source.tensor.dtype) return false;
    if (tensor.data === source.tensor.data) return kept.size === 0;
    if (kept.size === 0 && sameDims(tensor.dims, source.tensor.dims) && tensor.data.storage !== 'strings')
      return sameBytes(tensor.data.bytes(), source.tensor.data.bytes());
    return isEqual(tensor, source.tensor, kept);
  }
}

function slicedDims({ source, kept }: Use): number[] {
  return source.tensor.dims.map((dim, axis) => kept.get(axis)?.length ?? dim);
}
