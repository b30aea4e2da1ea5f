/**
 * The one versioned view of op parameters that moved between attributes and inputs from opset 7 on,
 * so that no rule elsewhere asks for the opset. Source: onnx's docs/Changelog.md.
 */
import type { Node } from './model.js';
import { formalInputs, reductionOps } from './op-inputs.js';

/** Where a node has a parameter. */
export type ParameterSource =
  | { readonly source: 'attribute'; readonly attribute: string }
  | { readonly source: 'input'; readonly index: number }
  | { readonly source: 'absent' };

/** An attribute's name or an input's position, and the first opset that has it there. */
type Place = readonly [since: number, place: string | number];
type Places = Readonly<Record<string, readonly Place[]>>;

const always = (index: number): readonly Place[] => [[1, index]];
const moved = (attribute: string, since: number, index: number): readonly Place[] => [
  [1, attribute],
  [since, index],
];

const axesFrom18: Places = { axes: moved('axes', 18, 1) };

const table: Readonly<Record<string, Places>> = {
  ...Object.fromEntries(reductionOps.map((op) => [op, axesFrom18])),
  ReduceSum: { axes: moved('axes', 13, 1) },
  CenterCropPad: { shape: always(1) },
  Clip: { min: moved('min', 11, 1), max: moved('max', 11, 2) },
  ConstantOfShape: { input: always(0) },
  CumSum: { axis: always(1) },
  DFT: { dft_length: always(1), axis: moved('axis', 20, 2) },
  Dropout: { ratio: moved('ratio', 12, 1), training_mode: [[12, 2]] },
  Expand: { shape: always(1) },
  OneHot: { depth: always(1), values: always(2) },
  Pad: { pads: moved('pads', 11, 1), value: moved('value', 11, 2), axes: [[18, 3]] },
  Range: { start: always(0), limit: always(1), delta: always(2) },
  Reshape: { shape: always(1) },
  // From 19 on `axes` says which axes roi, scales and sizes are of.
  Resize: {
    roi: [[11, 1]],
    scales: [
      [10, 1],
      [11, 2],
    ],
    sizes: [[11, 3]],
    axes: [[18, 'axes']],
  },
  Slice: {
    starts: moved('starts', 10, 1),
    ends: moved('ends', 10, 2),
    axes: moved('axes', 10, 3),
    steps: [[10, 4]],
  },
  Split: { split: moved('split', 13, 1), num_outputs: [[18, 'num_outputs']] },
  SplitToSequence: { split: always(1) },
  Squeeze: { axes: moved('axes', 13, 1) },
  Tile: { repeats: always(1) },
  TopK: { k: moved('k', 10, 1) },
  Trilu: { k: always(1) },
  Unsqueeze: { axes: moved('axes', 13, 1) },
  Upsample: { scales: moved('scales', 9, 1) },
};

/**
 * Where a node of the default domain has the parameter `name` at an opset; `absent` if the node leaves it out.
 * Parameters that never moved are found by their attribute's or formal input's name.
 */
export function parameterOf(node: Node, opset: number, name: string): ParameterSource {
  const places = node.domain === '' ? table[node.opType]?.[name] : undefined;
  const place = places
    ? places.findLast(([since]) => since <= opset)?.[1]
    : node.attributes.has(name)
      ? name
      : inputIndex(node, name);
  if (typeof place === 'string')
    return node.attributes.has(place) ? { source: 'attribute', attribute: place } : { source: 'absent' };
  if (place !== undefined && node.inputs[place]) return { source: 'input', index: place };
  return { source: 'absent' };
}

/**
 * What the op's documentation calls an input, for messages: `W`, `inputs[2]` of a variadic one,
 * `input 3` of an op that isn't known.
 */
export function inputName(node: Node, opset: number, index: number): string {
  const unknown = `input ${index}`;
  if (node.domain !== '') return unknown;
  const names = namesAt(node, opset);
  if (!names) return unknown;
  const last = names.at(-1)!;
  if (last.endsWith('…') && index >= names.length - 1)
    return `${last.slice(0, -1)}[${index - names.length + 1}]`;
  return names[index] ?? unknown;
}

function namesAt(node: Node, opset: number): readonly string[] | undefined {
  if (node.opType === 'Resize' && opset < 11) return ['X', 'scales'];
  return formalInputs(node.opType);
}

function inputIndex(node: Node, name: string): number | undefined {
  const index = node.domain === '' ? (formalInputs(node.opType)?.indexOf(name) ?? -1) : -1;
  return index < 0 ? undefined : index;
}
