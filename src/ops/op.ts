import { PruneError } from '../errors.js';
import type { Node } from '../onnx/model.js';

/**
 * What is true of an op, whatever its node. Rooms ask for traits, never for names.
 *
 * Values:
 * `pointwise` each element of the output depends on the elements at the same, maybe broadcast, position of the inputs ·
 * `bounded` values up to 1 · `saturates` of these, one that is flat far out · `ill-conditioned` takes only some numbers, or turns others into very large ones ·
 * `decides` results jump: a rounding difference in what it reads may change them completely ·
 * `random` draws numbers, others in each run ·
 * `adds` the sum of its inputs · `shifts`, `scales` what a constant operand does to the other one · `selects` from two
 * by a condition ·
 * `casts` changes the type and keeps the numbers ·
 * `contracts` sums products over an axis · `multiplies` matrices in the last two axes · `statistic` depends on all elements along an axis, other than by a product
 * with weights · `averages` is a mean over some axes · `softmax` is one along an axis.
 *
 * Elements:
 * `moves` every element of the output is one of the inputs, and slices stay together · `picks` may leave some out ·
 * `rearranges` the first input is what is moved, scaled or picked from, the others hold sizes, indices, scales ·
 * `view` the first input under another shape, in the same memory · `alias` the first input as it is ·
 * `reshapes` to a shape it is given, in row-major order · `expands` to a shape it is given ·
 * `permutes` the order of the axes · `gathers` by indices along one axis · `joins` its inputs along one axis.
 *
 * Sources:
 * `literal` a tensor that stands in the file · `fills` one number everywhere, in a shape it is given ·
 * `sizes` the sizes of what it reads, whatever the elements: as a list, or if it `counts` their product · `ranked` the rank of the output follows from those of the
 * inputs, whatever they hold.
 *
 * Control: `branches` one of two bodies is run.
 *
 * Layers: `layer` multiplies what it reads by a weight and can be solved for it · `timed` its time follows from its widths · `spatial` by a kernel at each
 * position · `recurrent` step after step · `resets` multiplies the state by a gate before the weight does.
 */
export type Trait =
  | 'pointwise'
  | 'bounded'
  | 'saturates'
  | 'ill-conditioned'
  | 'decides'
  | 'random'
  | 'adds'
  | 'shifts'
  | 'scales'
  | 'selects'
  | 'casts'
  | 'contracts'
  | 'multiplies'
  | 'statistic'
  | 'averages'
  | 'softmax'
  | 'moves'
  | 'picks'
  | 'rearranges'
  | 'view'
  | 'alias'
  | 'reshapes'
  | 'expands'
  | 'permutes'
  | 'gathers'
  | 'joins'
  | 'literal'
  | 'fills'
  | 'sizes'
  | 'counts'
  | 'ranked'
  | 'branches'
  | 'layer'
  | 'timed'
  | 'spatial'
  | 'recurrent'
  | 'resets';

/**
 * What an input is to its op: `data` is multiplied by `weight` (and the state by `recurrence`), `bias` is added;
 * `mean` and `variance` normalise, `scale` multiplies; `divisor` divides; `weightScale` and `weightZeroPoint` say what
 * an integer weight stands for, `dataZeroPoint` and `outputZeroPoint` what stands for 0 in the data and in the output; `lengths` are those of sequences; `type` is where the output's type comes from.
 */
export type Operand =
  | 'data'
  | 'weight'
  | 'recurrence'
  | 'bias'
  | 'scale'
  | 'mean'
  | 'variance'
  | 'divisor'
  | 'weightScale'
  | 'weightZeroPoint'
  | 'dataZeroPoint'
  | 'outputZeroPoint'
  | 'lengths'
  | 'type';

/** From this opset on a parameter is an attribute (its name) or an input (its position). */
export type Place = readonly [since: number, place: string | number];

/** An op as it is written down. All that is left out is empty. */
export interface OpEntry {
  /** Formal names of the inputs at recent opsets as onnx documents them, between spaces; `…` repeats the last. */
  readonly inputs?: string;
  readonly traits?: readonly Trait[];
  /** Which of the inputs is which operand. */
  readonly operands?: Readonly<Partial<Record<Operand, string>>>;
  /** Parameters that are or were an attribute at some opsets and an input at others. */
  readonly parameters?: Readonly<Record<string, readonly Place[]>>;
  /** Axis of an integer weight along which its scale and zero point may vary, maybe counted from the end. */
  readonly weightAxis?: (node: Node) => number;
}

/** What is known of an op. */
export interface Op extends Omit<OpEntry, 'inputs' | 'traits' | 'operands'> {
  /** `Op`, or `domain::Op` outside the default domain. */
  readonly name: string;
  readonly inputs: readonly string[];
  readonly traits: ReadonlySet<Trait>;
  /** Positions of the operands. */
  readonly operands: Readonly<Partial<Record<Operand, number>>>;
}

/** Ops by qualified name. */
export type OpFamily = Readonly<Record<string, OpEntry>>;

/**
 * Parts of a family as one.
 * @throws PruneError `internal` for an op that is written down twice
 */
export function family(...parts: readonly OpFamily[]): OpFamily {
  const all: Record<string, OpEntry> = {};
  for (const part of parts)
    for (const [name, entry] of Object.entries(part)) {
      if (Object.hasOwn(all, name)) throw new PruneError('internal', `op '${name}' is written down twice`);
      all[name] = entry;
    }
  return all;
}

/** The same for each op of a list of words. */
export function each(ops: string, entry: OpEntry): OpFamily {
  return family(...ops.trim().split(/\s+/).map((name) => ({ [name]: entry }))); // prettier-ignore
}

/** Ops with more traits. */
export function withTraits(ops: OpFamily, ...more: readonly Trait[]): OpFamily {
  return Object.fromEntries(
    Object.entries(ops).map(([name, entry]) => [
      name,
      { ...entry, traits: [...(entry.traits ?? []), ...more] },
    ]),
  );
}

/** The qualified name of one of onnxruntime's own ops. */
export const microsoftName = (op: string): string => `com.microsoft::${op}`;

/** Ops of onnxruntime's own domain. */
export function microsoft(ops: OpFamily): OpFamily {
  return Object.fromEntries(Object.entries(ops).map(([name, entry]) => [microsoftName(name), entry]));
}
