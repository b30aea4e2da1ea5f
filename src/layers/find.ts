import { nodeLabel } from '../onnx/names.js';
import { findConstants } from '../ops/constants.js';
import { capturedNames, indexGraph } from '../onnx/graph-index.js';
import type { Model } from '../onnx/model.js';
import { followOutput, type Shortcut } from './bias.js';
import { layerShape, type Layer } from './layer.js';
import { recurrentLayers } from './recurrent.js';

/** A layer with the shortcut that is added to its output. */
export interface FollowedLayer extends Layer {
  readonly shortcut: Shortcut | undefined;
}

export interface FoundLayers {
  readonly layers: readonly FollowedLayer[];
  /** Contractions that can't be solved for, with the reason. */
  readonly left: readonly { readonly node: string; readonly why: string }[];
}

/** All layers of a model's main graph, in graph order. */
export function findLayers({ graph }: Model): FoundLayers {
  const sources = findConstants(graph);
  const index = indexGraph(graph);
  const uses = new Map<unknown, number>();
  const count = (name: string): void => {
    const source = sources.get(name);
    if (source) uses.set(source.tensor, (uses.get(source.tensor) ?? 0) + 1);
  };
  for (const node of graph.nodes) {
    if (!sources.has(node.outputs[0] ?? '')) node.inputs.forEach(count);
    capturedNames(node).forEach(count);
  }
  for (const { name } of graph.outputs) count(name);

  const layers: FollowedLayer[] = [];
  const left: { node: string; why: string }[] = [];
  graph.nodes.forEach((node, i) => {
    const name = nodeLabel(node, i);
    const parts = recurrentLayers(node, i, sources);
    if (typeof parts === 'string') return void left.push({ node: name, why: parts });
    for (const part of parts ?? []) {
      const { weight, bias } = part;
      if ([weight.tensor, bias?.tensor].some((tensor) => tensor && uses.get(tensor)! > 1))
        return void left.push({ node: name, why: 'its weights are used elsewhere too' });
      const label = part.recurrence?.ofState ? `${name} (recurrent)` : name;
      layers.push({ ...part, name: label, shortcut: undefined });
    }
    const shape = layerShape(node, sources);
    if (shape === undefined) return;
    if (typeof shape === 'string') return void left.push({ node: name, why: shape });
    if (uses.get(shape.weight.tensor)! > 1)
      return void left.push({ node: name, why: 'its weight is used elsewhere too' });
    const { sink, shortcut } = followOutput(node, i, shape.layout.rows, index, sources);
    if (node.inputs[2] && sink?.kind !== 'own')
      return void left.push({ node: name, why: 'its bias is not one number per output' });
    layers.push({ ...shape, node: i, name, bias: sink, shortcut });
  });
  return { layers, left };
}
