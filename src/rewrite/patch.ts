import { PruneError } from '../errors.js';
import { isFloat } from '../onnx/data-type.js';
import type { Node } from '../onnx/model.js';
import type { Tensor } from '../onnx/tensor.js';
import { floatsOf, floatTensor, integersOf, integerTensor, type FloatType } from '../onnx/values.js';
import { isEntryReached, isReached, type Reach } from '../shapes/reach.js';
import { addNode, divNode, mulNode } from '../ops/nodes.js';
import type { ModelEdit } from '../edit/model-edit.js';

/** A computed value as it is and as it should be. */
export interface Comparison {
  readonly value: string;
  /** Which of its entries the symbolic dims may reach. */
  readonly reach: Reach;
  /** At each tried size of the symbolic dims. */
  readonly at: readonly {
    /** As it is in the dense model. */
    readonly dense: Tensor;
    readonly wanted: readonly number[];
    /** What the pruned model would compute; undefined where it can't. */
    readonly computed: Tensor | undefined;
  }[];
}

export function numbersOf(tensor: Tensor): readonly number[] {
  return isFloat(tensor.dtype) ? [...floatsOf(tensor)] : integersOf(tensor);
}

export function isRight({ at }: Comparison): boolean {
  return at.every(({ wanted, computed }) => computed !== undefined && equal(numbersOf(computed), wanted));
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
 * Makes the value that is wanted. Entries that no symbolic dim reaches become constants: those of the whole value, or
 * of parts that it is concatenated from. What a symbolic dim may reach stays computed, and where it is wrong it is
 * multiplied, added to and divided so that it is right at all tried sizes.
 * @throws PruneError `unsupported` if no such correction fits them.
 */
export function correct(
  { value, reach, at }: Comparison,
  assembly: Assembly | undefined,
  edit: ModelEdit,
): Correction {
  const [{ dense: first, wanted: want }] = at as [Comparison['at'][number]];
  const sameShape = at.every(({ dense }) => equal(dense.dims, first.dims));
  if (!isReached(reach) && sameShape && at.every(({ wanted }) => equal(wanted, want))) {
    const name = edit.names.take(value);
    edit.addTensor({ ...tensorLike(first, want), name });
    return { name, nodes: [] };
  }
  const got = at.map(({ computed }) => computed && numbersOf(computed));
  if (!sameShape || !got.every((numbers) => numbers?.length === want.length) || first.dtype === 'bool')
    throw uncorrectable(value);
  const entries = want.map((_, i) => {
    const pairs = at.map(({ wanted }, k) => [wanted[i]!, got[k]![i]!] as const);
    const correction = isEntryReached(reach, i) ? followed(pairs) : constant(pairs);
    return correction ?? fail(uncorrectable(value));
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

const steps = { mul: mulNode, add: addNode, div: divNode } as const;

function adjust(
  value: string,
  entries: readonly EntryCorrection[],
  like: Tensor,
  edit: ModelEdit,
): Correction {
  const nodes: Node[] = [];
  let name = value;
  const apply = (step: keyof typeof steps, operand: readonly number[], neutral: number): void => {
    if (operand.every((x) => x === neutral)) return;
    const constant = edit.names.take(`${value}_${step}`);
    edit.addTensor({ ...tensorLike(like, operand), name: constant });
    const output = edit.names.take(value);
    nodes.push(steps[step](name, constant, output));
    name = output;
  };
  apply('mul', entries.map(({ multiplier }) => multiplier), 1); // prettier-ignore
  apply('add', entries.map(({ addend }) => addend), 0); // prettier-ignore
  apply('div', entries.map(({ divisor }) => divisor), 1); // prettier-ignore
  return { name, nodes };
}

/** `(multiplier * x + addend) / divisor`, without a remainder. */
interface EntryCorrection {
  readonly multiplier: number;
  readonly addend: number;
  readonly divisor: number;
}

const neutral: EntryCorrection = { multiplier: 1, addend: 0, divisor: 1 };

const isNeutral = ({ multiplier, divisor, addend }: EntryCorrection): boolean =>
  multiplier === 1 && divisor === 1 && addend === 0;

/** What is wanted of an entry, and what is computed, at each size. */
type Pairs = readonly (readonly [wanted: number, computed: number])[];

const isAlready = (pairs: Pairs): boolean => pairs.every(([want, got]) => want === got);

/** The correction of an entry that is the same at every size. */
function constant(pairs: Pairs): EntryCorrection | undefined {
  if (isAlready(pairs)) return neutral;
  const [[want]] = pairs as [Pairs[number]];
  return pairs.every(([other]) => other === want) ? { multiplier: 0, addend: want, divisor: 1 } : undefined;
}

/**
 * The correction of an entry that follows the symbolic dims: a line through all pairs, through zero where that fits. One that
 * moved at no tried size is taken to be in proportion, so that it goes on following them.
 */
function followed(pairs: Pairs): EntryCorrection | undefined {
  if (isAlready(pairs)) return neutral;
  const [[want, got]] = pairs as [Pairs[number]];
  if (want !== 0 && got !== 0 && pairs.every(([w, g]) => w * got === g * want))
    return { multiplier: want, addend: 0, divisor: got };
  const other = pairs.find(([, g]) => g !== got);
  if (!other) return undefined;
  const [rise, run] = [other[0] - want, other[1] - got];
  const addend = want * run - rise * got;
  if (rise === 0 || !pairs.every(([w, g]) => w * run === rise * g + addend)) return undefined;
  return run > 0
    ? { multiplier: rise, addend, divisor: run }
    : { multiplier: -rise, addend: 0 - addend, divisor: -run };
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

export function uncorrectable(value: string): PruneError {
  return new PruneError(
    'unsupported',
    `the size computed as '${value}' can't follow the pruned channels; simplify the model with a fixed batch size or --ignore the nodes that use it`,
  );
}

function fail(error: Error): never {
  throw error;
}
