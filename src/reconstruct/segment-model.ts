import type { DataType } from '../onnx/data-type.js';
import { capturedNames } from '../onnx/graph-index.js';
import type { Model, Node } from '../onnx/model.js';
import type { Tensor } from '../onnx/tensor.js';
import { keyOf, type Segment, type SegmentNode, type SolveOrder } from './solve-order.js';
import type { Weights } from '../edit/weights.js';

export interface SegmentContext {
  readonly order: SolveOrder;
  readonly dense: Model;
  /** What has been solved so far. */
  readonly weights: Weights;
}

/** A step with the keys of what it reads and writes. */
interface Placed {
  readonly step: SegmentNode;
  readonly isMasked: boolean;
}

/** Keys of the activations that a step reads. */
export function readKeys({ node }: SegmentNode, isMasked: boolean, order: SolveOrder): string[] {
  const { differing, denseSources, maskedSources } = order;
  return [...node.inputs, ...capturedNames(node)]
    .filter((name) => name && !denseSources.has(name) && !maskedSources.has(name))
    .map((name) => keyOf(differing, name, isMasked));
}

export function writtenKeys({ node }: SegmentNode, isMasked: boolean, { differing }: SolveOrder): string[] {
  return node.outputs.filter((name) => name !== '').map((name) => keyOf(differing, name, isMasked));
}

/**
 * A model of successive segments that puts out some of their values, without what these don't need; what earlier
 * segments made are its inputs.
 * @param dtypeOf of the activations that are fed
 */
export function segmentModel(
  segments: readonly Segment[],
  outputs: readonly string[],
  dtypeOf: (key: string) => DataType,
  { order, dense, weights }: SegmentContext,
): Model {
  const { differing, denseSources, maskedSources } = order;
  const initializers = new Map<string, Tensor>();
  const inputs = new Set<string>();
  const written = new Set<string>();
  const read = (name: string, masked: boolean): string => {
    if (name === '') return '';
    const source = denseSources.get(name) ?? maskedSources.get(name);
    if (source) {
      initializers.set(name, { ...source.tensor, name });
      return name;
    }
    const key = keyOf(differing, name, masked);
    if (!written.has(key)) inputs.add(key);
    return key;
  };
  const place = ({ step: { node, index }, isMasked }: Placed): Node => {
    const changes = isMasked && index !== undefined ? weights.get(index) : undefined;
    const values = node.inputs.map((name, i) => (changes?.has(i) ? '' : read(name, isMasked)));
    for (const [input, tensor] of changes ?? []) {
      const name = `solved::${nameOf(node)}::${input}`;
      initializers.set(name, { ...tensor, name });
      while (values.length <= input) values.push('');
      values[input] = name;
    }
    for (const name of capturedNames(node)) read(name, isMasked);
    const results = node.outputs.map((name) => (name ? keyOf(differing, name, isMasked) : ''));
    for (const name of results) written.add(name);
    return { ...node, name: '', inputs: values, outputs: results };
  };
  const nodes = neededNodes(segments, outputs, order).map(place);
  const info = (name: string): Model['graph']['inputs'][number] => ({
    name,
    docString: '',
    type: { kind: 'tensor', dtype: dtypeOf(name), shape: undefined, denotation: '' },
  });
  return {
    ...dense,
    irVersion: Math.max(dense.irVersion, 4),
    graph: {
      ...dense.graph,
      nodes,
      initializers: [...initializers.values()],
      sparseInitializers: [],
      inputs: [...inputs].map(info),
      outputs: outputs.map((name) => ({ name, docString: '', type: undefined })),
      valueInfos: [],
      quantizationAnnotations: [],
    },
  };
}

/** The steps that the outputs depend on, in order. */
function neededNodes(
  segments: readonly Segment[],
  outputs: readonly string[],
  order: SolveOrder,
): readonly Placed[] {
  const placed = segments.flatMap(({ dense, masked }): Placed[] => [
    ...dense.map((step) => ({ step, isMasked: false })),
    ...masked.map((step) => ({ step, isMasked: true })),
  ]);
  const needed = new Set(outputs);
  return placed
    .toReversed()
    .filter(({ step, isMasked }) => {
      if (!writtenKeys(step, isMasked, order).some((key) => needed.has(key))) return false;
      for (const key of readKeys(step, isMasked, order)) needed.add(key);
      return true;
    })
    .reverse();
}

function nameOf({ outputs }: Node): string {
  return outputs.find((name) => name !== '') ?? '';
}
