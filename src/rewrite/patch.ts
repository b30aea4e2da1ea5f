import { PruneError } from '../errors.js';
import { isFloat } from '../onnx/data-type.js';
import type { Node } from '../onnx/model.js';
import type { Tensor } from '../onnx/tensor.js';
import { floatsOf, floatTensor, integersOf, integerTensor, type FloatType } from '../onnx/values.js';
import { makeNode, type ModelEdit } from './edit.js';

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

/**
 * Makes the value that is wanted: a constant if it doesn't depend on the symbolic dims, else the computed one with
 * its wrong entries put right by a multiplication, a division and an addition.
 * @returns the name of the corrected value, and the nodes that compute it.
 * @throws PruneError `unsupported` if no such correction fits all sizes.
 */
export function correct(
  comparison: Comparison,
  edit: ModelEdit,
): { readonly name: string; readonly nodes: readonly Node[] } {
  const { value, dense, wanted, computed } = comparison;
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
  const factors = want.map((_, i) => {
    const entries = wanted.map((numbers, k) => [numbers[i]!, got[k]![i]!] as const);
    return entryCorrection(entries) ?? fail(uncorrectable(value));
  });

  const nodes: Node[] = [];
  let name = value;
  const apply = (op: string, operand: readonly number[], neutral: number): void => {
    if (operand.every((x) => x === neutral)) return;
    const constant = edit.names.take(`${value}_${op.toLowerCase()}`);
    edit.addTensor({ ...tensorLike(first, operand), name: constant });
    const output = edit.names.take(value);
    nodes.push(makeNode(op, [name, constant], output));
    name = output;
  };
  apply('Mul', factors.map(({ multiplier }) => multiplier), 1); // prettier-ignore
  apply('Div', factors.map(({ divisor }) => divisor), 1); // prettier-ignore
  apply('Add', factors.map(({ addend }) => addend), 0); // prettier-ignore
  return { name, nodes };
}

interface EntryCorrection {
  readonly multiplier: number;
  readonly divisor: number;
  readonly addend: number;
}

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
