import { findConstants, type ConstantSource } from '../ops/constants.js';
import { capturedNames } from '../onnx/graph-index.js';
import type { Model, Node } from '../onnx/model.js';
import type { FollowedLayer } from '../layers/find.js';

/** A node of one of the two models, as a segment runs it. */
export interface SegmentNode {
  readonly node: Node;
  /** Its index in the dense graph; undefined for nodes that only mask. */
  readonly index: number | undefined;
}

/** A layer to be solved for, once everything before it is. */
export interface LayerTurn {
  readonly layer: FollowedLayer;
  readonly wave: number;
  /** Whether the shortcut is known when the layer's turn comes, and differs, so that the layer can make up for it. */
  readonly hasShortcut: boolean;
}

/**
 * The order in which a masked model is walked beside the dense one. A wave holds the layers that depend on solved
 * layers of earlier waves only; a segment is what runs between two waves, so that every node runs once.
 */
export interface SolveOrder {
  readonly waves: readonly (readonly LayerTurn[])[];
  /** By wave: what runs before the moments of its layers are taken. */
  readonly segments: readonly Segment[];
  /** Values that differ between the two models, by name. */
  readonly differing: ReadonlySet<string>;
  readonly denseSources: ReadonlyMap<string, ConstantSource>;
  readonly maskedSources: ReadonlyMap<string, ConstantSource>;
  /** Layers that can't be reached, with the reason. */
  readonly left: readonly { readonly node: string; readonly why: string }[];
}

export interface Segment {
  readonly dense: readonly SegmentNode[];
  /** Solved layers of the wave before come as they stand in the dense graph. */
  readonly masked: readonly SegmentNode[];
}

/** The first output that a node has: nodes are told apart by it. */
function nameOf({ outputs }: Node): string {
  return outputs.find((name) => name !== '') ?? '';
}

/** A value of the dense model, or of the masked one where that differs. */
export function keyOf(differing: ReadonlySet<string>, value: string, masked: boolean): string {
  return masked && differing.has(value) ? `masked::${value}` : value;
}

/** What a layer is solved on: its input in the masked model, but the dense state of a recurrence. */
export function inputKeyOf(differing: ReadonlySet<string>, { x, recurrence }: FollowedLayer): string {
  return keyOf(differing, x, recurrence?.ofState !== true);
}

/**
 * @param isOpaque nodes that onnxruntime can't run
 */
export function schedule(
  dense: Model,
  masked: Model,
  layers: readonly FollowedLayer[],
  isOpaque: (node: Node) => boolean,
): SolveOrder {
  const denseSources = findConstants(dense.graph);
  const maskedSources = findConstants(masked.graph);
  const indexOf = new Map<string, number>();
  dense.graph.nodes.forEach((node, i) => indexOf.set(nameOf(node), i));
  const layersOf = new Map<number, FollowedLayer[]>();
  for (const layer of layers) {
    const list = layersOf.get(layer.node);
    if (list) list.push(layer);
    else layersOf.set(layer.node, [layer]);
  }

  const differing = new Set<string>();
  const levels = new Map<string, number>();
  const nodeLevels = new Map<string, number>();
  const stops: LayerTurn[] = [];
  for (const node of masked.graph.nodes) {
    const first = nameOf(node);
    if (maskedSources.has(first)) continue;
    const read = [...node.inputs, ...capturedNames(node)];
    const index = indexOf.get(first);
    const twin = index === undefined ? undefined : dense.graph.nodes[index]!;
    const isMasked =
      !twin || twin.opType !== node.opType || twin.inputs.some((name, i) => name !== node.inputs[i]);
    const differs = isMasked || read.some((name) => differing.has(name));
    const level = Math.max(0, ...read.map((name) => levels.get(name) ?? 0));
    // Of the two products of a recurrence maybe only one loses something.
    const isConcerned = ({ recurrence, weightInput, x }: FollowedLayer): boolean =>
      !recurrence || differing.has(x) || node.inputs[weightInput] !== twin!.inputs[weightInput];
    const own =
      differs && index !== undefined && level < Infinity
        ? (layersOf.get(index) ?? []).filter(isConcerned)
        : [];
    nodeLevels.set(first, level);
    let after = level;
    for (const layer of own) stops.push({ layer, wave: level, hasShortcut: false });
    if (own.length > 0) after++;
    // Bodies would have to be renamed inside; what onnxruntime doesn't know can't run.
    if (isOpaque(node) || (differs && capturedNames(node).length > 0)) after = Infinity;
    for (const output of node.outputs) {
      if (output === '') continue;
      levels.set(output, after);
      if (differs) differing.add(output);
    }
  }

  const known = stops.map((stop): LayerTurn => {
    const { shortcut } = stop.layer;
    const hasShortcut =
      shortcut !== undefined &&
      differing.has(shortcut.value) &&
      (levels.get(shortcut.value) ?? 0) <= stop.wave;
    return { ...stop, hasShortcut };
  });
  const waves: LayerTurn[][] = [];
  for (const stop of known) (waves[stop.wave] ??= []).push(stop);
  for (let wave = 0; wave < waves.length; wave++) waves[wave] ??= [];
  const reached = new Set(stops.map(({ layer }) => layer));
  const left = layers
    .filter((layer) => !reached.has(layer) && levels.get(layer.output) === Infinity)
    .map(({ name }) => ({ node: name, why: 'it is behind a node that could not be run' }));
  const segments = segmentsOf(dense, masked, waves, differing, nodeLevels, indexOf);
  return { waves, segments, differing, denseSources, maskedSources, left };
}

function segmentsOf(
  dense: Model,
  masked: Model,
  waves: readonly (readonly LayerTurn[])[],
  differing: ReadonlySet<string>,
  nodeLevels: ReadonlyMap<string, number>,
  indexOf: ReadonlyMap<string, number>,
): Segment[] {
  const segments = waves.map((): { dense: SegmentNode[]; masked: SegmentNode[] } => ({
    dense: [],
    masked: [],
  }));
  const needed = new Set<string>();
  const isStop = new Map<string, number>();
  for (const stop of waves.flat()) {
    const { layer, hasShortcut, wave } = stop;
    isStop.set(layer.output, wave);
    needed.add(inputKeyOf(differing, layer)).add(layer.y);
    const value = layer.shortcut?.value;
    if (hasShortcut && value !== undefined) needed.add(value).add(keyOf(differing, value, true));
  }
  const take = (node: Node, isMasked: boolean): boolean => {
    if (!node.outputs.some((name) => name && needed.has(keyOf(differing, name, isMasked)))) return false;
    for (const name of [...node.inputs, ...capturedNames(node)])
      if (name) needed.add(keyOf(differing, name, isMasked));
    return true;
  };
  // Backwards, so that only what some layer depends on runs; masked first, since it also reads dense values.
  for (const node of masked.graph.nodes.toReversed()) {
    const first = nameOf(node);
    if (!differing.has(first) || !take(node, true)) continue;
    const stop = isStop.get(first);
    const segment = segments[stop === undefined ? nodeLevels.get(first)! : stop + 1];
    segment?.masked.push({ node, index: indexOf.get(first) });
  }
  for (const node of dense.graph.nodes.toReversed()) {
    const first = nameOf(node);
    if (!nodeLevels.has(first) || !take(node, false)) continue;
    segments[nodeLevels.get(first)!]?.dense.push({ node, index: indexOf.get(first) });
  }
  for (const segment of segments) {
    segment.dense.reverse();
    segment.masked.reverse();
  }
  return segments;
}
