import { ownValue } from '../onnx/named.js';
import { PruneError } from '../errors.js';
import type { Dimension, Graph, ValueInfo } from '../onnx/model.js';
import type { SizeGuess } from './guess.js';
import type { Dims } from './session-model.js';

/** The shapes that the graph inputs are pinned to; an undefined dim is left open. */
export interface OpenPins {
  readonly shapes: ReadonlyMap<string, Dims>;
  /** Inputs whose shape in the file has symbolic dims: input -> those axes. */
  readonly symbolic: ReadonlyMap<string, readonly number[]>;
  /** Sizes of the file's symbols (`batch` -> 1). */
  readonly symbols: ReadonlyMap<string, number>;
  /** Shapes given for values that nodes write: they serve where onnxruntime doesn't know the node. */
  readonly hints: ReadonlyMap<string, readonly number[]>;
}

export interface Pins extends OpenPins {
  readonly shapes: ReadonlyMap<string, readonly number[]>;
}

/**
 * Chooses a static shape for every graph input that isn't an initializer: the user's, else the file's with
 * symbolic dims set to what `guess` says. A symbol that an override gives a size (`batch` = 4) has that size everywhere.
 * Sequences, maps and optionals have no shape to pin and are left out.
 */
export function pinInputs(
  graph: Graph,
  overrides: Readonly<Record<string, readonly number[]>> = {},
  guess: SizeGuess = () => 1,
): Pins {
  const initializers = new Set(graph.initializers.map((tensor) => tensor.name));
  const inputs = graph.inputs.filter(
    (input) => !initializers.has(input.name) && input.type?.kind !== 'other',
  );
  const { symbols, hints } = checkOverrides(graph, inputs, overrides);
  for (const input of inputs) {
    for (const [axis, { value }] of (dimsOf(input) ?? []).entries()) {
      if (typeof value === 'string' && value !== '' && !symbols.has(value))
        symbols.set(value, guess(input, axis));
    }
  }

  const shapes = new Map<string, readonly number[]>();
  const symbolic = new Map<string, readonly number[]>();
  for (const input of inputs) {
    const dims = dimsOf(input);
    const axes = (dims ?? []).flatMap((dim, axis) => (isSize(dim.value) ? [] : [axis]));
    if (axes.length > 0) symbolic.set(input.name, axes);
    const override = ownValue(overrides, input.name);
    if (override !== undefined) shapes.set(input.name, [...override]);
    else if (dims !== undefined) {
      const pinned = dims.map(({ value }, axis) =>
        isSize(value) ? value : (symbols.get(String(value)) ?? guess(input, axis)),
      );
      shapes.set(input.name, pinned);
    } else {
      throw new PruneError(
        'invalid-option',
        `input ${input.name} has no shape in the file; give one, such as --shape ${input.name}:1,3,224,224`,
      );
    }
  }
  return { shapes, symbolic, symbols, hints };
}

/** Checks the overrides; returns the sizes they give to symbols of the file, and those that are for inner values. */
function checkOverrides(
  graph: Graph,
  inputs: readonly ValueInfo[],
  overrides: Readonly<Record<string, readonly number[]>>,
) {
  const byName = new Map(inputs.map((input) => [input.name, input]));
  const symbols = new Map<string, number>();
  const hints = new Map<string, readonly number[]>();
  for (const [name, shape] of Object.entries(overrides)) {
    const input = byName.get(name);
    const shown = `shape [${shape.join(', ')}] for ${name}`;
    const wrongAxis = shape.findIndex((size) => !isSize(size));
    if (input === undefined && !graph.nodes.some((node) => node.outputs.includes(name))) {
      throw new PruneError(
        'invalid-option',
        `unknown input in shape: ${name}; the model's inputs are ${inputs.map(describe).join(', ') || 'none'}`,
      );
    }
    if (wrongAxis >= 0) {
      const file = input === undefined ? '' : `the file says ${describe(input)}, `;
      throw new PruneError(
        'invalid-option',
        `${shown} has size ${shape[wrongAxis]} on axis ${wrongAxis}; ${file}use positive integers`,
      );
    }
    const dims = input === undefined ? undefined : dimsOf(input);
    if (input !== undefined && dims !== undefined && dims.length !== shape.length) {
      throw new PruneError(
        'invalid-option',
        `${shown} has rank ${shape.length}; the file says ${describe(input)}, so give ${dims.length} sizes`,
      );
    }
    if (input === undefined) hints.set(name, shape);
    for (const [axis, size] of shape.entries()) {
      const symbol = dims?.[axis]?.value;
      if (typeof symbol === 'string' && symbol !== '' && !symbols.has(symbol)) symbols.set(symbol, size);
    }
  }
  return { symbols, hints };
}

/** An input as its name and shape in the file: `x[batch, 3, ?]`. */
export function describe(input: ValueInfo): string {
  const dims = dimsOf(input);
  if (dims === undefined) return `${input.name}[...]`;
  return `${input.name}[${dims.map(({ value }) => (value === undefined || value === '' ? '?' : value)).join(', ')}]`;
}

function dimsOf(input: ValueInfo): readonly Dimension[] | undefined {
  return input.type?.kind === 'tensor' ? input.type.shape : undefined;
}

function isSize(value: number | string | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}
