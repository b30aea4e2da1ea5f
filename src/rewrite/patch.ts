import { PruneError } from '../errors.js';
import { isFloat } from '../onnx/data-type.js';
import type { Node } from '../onnx/model.js';
import type { Tensor } from '../onnx/tensor.js';
import { floatsOf, floatTensor, integersOf, integerTensor, type FloatType } from '../onnx/values.js';
import { makeNode, type ModelEdit } from '../edit/model-edit.js';

/** A computed value as it is and as it should be, at each tried size of the symbolic dims. */
export interface Comparison {
  readonly value: string;
  /** Of the dense model. */
  readonly dense: readonly Tensor[];
  readonly wanted: readonly (readonly number[])[];
  /** What the pruned model would compute; undefined where it can't. */
  readonly computed: readonly (Tensor | undefined)[];
}

export function numbersOf(tensor: Tensor): readonly number[] {
  return isFloat(tensor.dtype) ? [...floatsOf(tensor)] : integersOf(tensor);
}

export function isRight({ wanted, computed }: Comparison): boolean {
  return wanted.every((want, k) => {
    const got = computed[k];
    return got !== undefined && equal(numbersOf(got), want);
  });
}

/** The Concat that assembles a computed value, with the number of entries of each of its inputs. */
export interface Assembly {
  readonly index: number;
  readonly node: Node;
  readonly lengths: readonly (number | undefined)[];
  /** Whether all readers of the value want it corrected in the same way. */
  readonly isExclusive: boolean;
}

/** The name of a corrected value, and the nodes that compute it. */
export interface Correction {
  readonly name: string;
  readonly nodes: readonly Node[];
}

/**
 * Makes the value that is wanted: a constant if it doesn't depend on the symbolic dims, else the computed one with
 * its wrong entries put right: constants among the parts it is concatenated from, or where that can't be a
 * multiplication, a division and an addition.
 * @throws PruneError `unsupported` if no such correction fits all sizes.
 */
export function correct(
  { value, dense, wanted, computed }: Comparison,
  assembly: Assembly | undefined,
  edit: ModelEdit,
): Correction {
  const [first] = dense as [Tensor];
  const [want] = wanted as [readonly number[]];
  const sameShape = dense.every(({ dims }) => equal(dims, first.dims));
  if (sameShape && wanted.every((other) => equal(other, want))) {
    const name = edit.names.take(value);
    edit.addTensor({ ...tensorLike(first, want), name });
    return { name, nodes: [] };
  }
  const got = computed.map((tensor) => tensor && numbersOf(tensor));
  if (!sameShape || !got.every((numbers) => numbers?.length === want.length) || first.dtype === 'bool')
    throw uncorrectable(value);
  const entries = want.map((_, i) => {
    const pairs = wanted.map((numbers, k) => [numbers[i]!, got[k]![i]!] as const);
    return entryCorrection(pairs) ?? fail(uncorrectable(value));
  });
  return (
    (assembly && reassemble(value, entries, assembly, first, edit)) ?? adjust(value, entries, first, edit)
  );
}

/** Replaces the wrong parts of a Concat by constants; undefined if a wrong part has to stay computed. */
function reassemble(
  value: string,
  entries: readonly EntryCorrection[],
  { index, node, lengths, isExclusive }: Assembly,
  like: Tensor,
  edit: ModelEdit,
): Correction | undefined {
  const parts = new Map<number, readonly number[]>();
  let start = 0;
  for (const [part, length] of lengths.entries()) {
    if (length === undefined) return undefined;
    const own = entries.slice(start, (start += length));
    if (own.every(isNeutral)) continue;
    if (!own.every(({ multiplier }) => multiplier === 0)) return undefined;
    parts.set(part, own.map(({ addend }) => addend)); // prettier-ignore
  }
  if (start !== entries.length) return undefined;
  const inputs = [...node.inputs];
  for (const [part, numbers] of parts) {
    inputs[part] = edit.names.take(`${value}_${part}`);
    edit.addTensor({ ...integerTensor(inputs[part], numbers, [numbers.length], like.dtype) });
    if (isExclusive) edit.setInput(index, part, inputs[part]);
  }
  if (isExclusive) return { name: value, nodes: [] };
  const name = edit.names.take(value);
  return { name, nodes: [{ ...node, name, inputs, outputs: [name] }] };
}

function adjust(
  value: string,
  entries: readonly EntryCorrection[],
  like: Tensor,
  edit: ModelEdit,
): Correction {
  const nodes: Node[] = [];
  let name = value;
  const apply = (op: string, operand: readonly number[], neutral: number): void => {
    if (operand.every((x) => x === neutral)) return;
    const constant = edit.names.take(`${value}_${op.toLowerCase()}`);
    edit.addTensor({ ...tensorLike(like, operand), name: constant });
    const output = edit.names.take(value);
    nodes.push(makeNode(op, [name, constant], output));
    name = output;
  };
  apply('Mul', entries.map(({ multiplier }) => multiplier), 1); // prettier-ignore
  apply('Div', entries.map(({ divisor }) => divisor), 1); // prettier-ignore
  apply('Add', entries.map(({ addend }) => addend), 0); // prettier-ignore
  return { name, nodes };
}

interface EntryCorrection {
  readonly multiplier: number;
  readonly divisor: number;
  readonly addend: number;
}

const isNeutral = ({ multiplier, divisor, addend }: EntryCorrection): boolean =>
  multiplier === 1 && divisor === 1 && addend === 0;

/** How to get from the computed entry to the wanted one at all sizes: leave it, fix it, or scale it. */
function entryCorrection(entries: readonly (readonly [number, number])[]): EntryCorrection | undefined {
  const [want, got] = entries[0]!;
  if (entries.every(([w, g]) => w === g)) return { multiplier: 1, divisor: 1, addend: 0 };
  if (entries.every(([w]) => w === want)) return { multiplier: 0, divisor: 1, addend: want };
  if (got === 0 || !entries.every(([w, g]) => w * got === g * want)) return undefined;
  return { multiplier: want, divisor: got, addend: 0 };
}

function tensorLike(tensor: Tensor, numbers: readonly number[]): Tensor {
  const { name, dims, dtype } = tensor;
  if (equal(numbersOf(tensor), numbers)) return tensor;
  return isFloat(dtype)
    ? floatTensor(name, numbers, dims, dtype as FloatType)
    : integerTensor(name, numbers, dims, dtype);
}

function equal(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((x, i) => Object.is(x, b[i]) || x === b[i]);
}

function uncorrectable(value: string): PruneError {
  return new PruneError(
    'unsupported',
    `the size computed as '${value}' can't follow the pruned channels; simplify the model with a fixed batch size or --ignore the nodes that use it`,
  );
}

function fail(error: Error): never {
  throw error;
}
