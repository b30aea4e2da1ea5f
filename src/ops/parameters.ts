import type { Node } from '../onnx/model.js';
import { opOf } from './index.js';

/** Where a node has a parameter. */
export type ParameterPlace =
  | { readonly source: 'attribute'; readonly attribute: string }
  | { readonly source: 'input'; readonly index: number }
  | { readonly source: 'absent' };

/**
 * Where a node has the parameter `name` at an opset of its domain; `absent` if it leaves it out. Many moved from
 * attributes to inputs from opset 7 on; this is where that is known, so that no rule elsewhere asks for the opset.
 * Parameters that never moved are found by their attribute's or formal input's name. Source: onnx's docs/Changelog.md.
 */
export function parameterOf(node: Node, opset: number, name: string): ParameterPlace {
  const op = opOf(node);
  const places = op?.parameters?.[name];
  const place = places
    ? places.findLast(([since]) => since <= opset)?.[1]
    : node.attributes.has(name)
      ? name
      : op?.inputs.indexOf(name);
  if (typeof place === 'string')
    return node.attributes.has(place) ? { source: 'attribute', attribute: place } : { source: 'absent' };
  if (place !== undefined && node.inputs[place]) return { source: 'input', index: place };
  return { source: 'absent' };
}

/**
 * What the op's documentation calls an input, for messages: `W`, `inputs[2]` of a variadic one, `input 3` of an op that
 * isn't known.
 */
export function inputName(node: Node, opset: number, index: number): string {
  const names = namesAt(node, opset);
  const last = names.at(-1);
  if (last?.endsWith('…') && index >= names.length - 1)
    return `${last.slice(0, -1)}[${index - names.length + 1}]`;
  return names[index] ?? `input ${index}`;
}

/** The formal names, with parameters that stood elsewhere at the opset where they were. */
function namesAt(node: Node, opset: number): readonly string[] {
  const op = opOf(node);
  if (!op) return [];
  const moved = Object.entries(op.parameters ?? {}).flatMap(([name, places]) => {
    const place = places.findLast(([since]) => since <= opset)?.[1];
    return typeof place === 'number' ? [[name, place] as const] : [];
  });
  const early = moved.find(([name, place]) => op.inputs.includes(name) && op.inputs.indexOf(name) !== place);
  return early ? op.inputs.with(early[1], early[0]) : op.inputs;
}
