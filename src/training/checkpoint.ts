import { PruneError } from '../errors.js';
import type { PassOutcome } from './report.js';
import type { TrainingState } from './state.js';
import type { Values } from './values.js';

/** Where checkpoints are kept. */
export interface CheckpointStore {
  /** Keeps a checkpoint; older ones may go. */
  save(bytes: Uint8Array): Promise<void>;
  /** The last one that was saved whole; undefined where there is none. */
  load(): Promise<Uint8Array | undefined>;
}

/** First bytes of a checkpoint, with the version of its format. */
const magic = new TextEncoder().encode('onnx-prune checkpoint 1\n');

/** What stands in front of the numbers. */
interface Header {
  readonly identity: string;
  readonly bestLoss: number;
  readonly bestPass: number;
  readonly firstLoss: number;
  readonly passes: readonly PassOutcome[];
  readonly step: number;
  readonly milliseconds: number;
  readonly hasAverage: boolean;
}

/**
 * A state as bytes: a line of format, the length of a JSON header (uint32), the header, the arrays one after the other as
 * little-endian float32, and the SHA-256 of all of it.
 * @param identity tells the training: model, plan, data and options
 */
export async function encodeCheckpoint(state: TrainingState, identity: string): Promise<Uint8Array> {
  const { bestLoss, bestPass, firstLoss, passes, step, milliseconds, average } = state;
  const header: Header = {
    ...{ identity, bestLoss, bestPass, passes, step, milliseconds },
    firstLoss: firstLoss ?? NaN,
    hasAverage: average !== undefined,
  };
  const text = new TextEncoder().encode(JSON.stringify(header));
  const arrays = arraysOf(state, header.hasAverage);
  const floats = arrays.reduce((sum, array) => sum + array.length, 0);
  const start = magic.length + 4 + text.length;
  const bytes = new Uint8Array(start + 4 * floats + 32);
  bytes.set(magic);
  new DataView(bytes.buffer).setUint32(magic.length, text.length, true);
  bytes.set(text, magic.length + 4);
  let at = start;
  for (const array of arrays) {
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), at);
    at += array.byteLength;
  }
  bytes.set(await digest(bytes.subarray(0, at)), at);
  return bytes;
}

/**
 * Reads a checkpoint into a fresh state of the same training. The file is not trusted: its sum, sizes and numbers are
 * checked before anything is taken over.
 * @throws PruneError `invalid-file` for a damaged one, `invalid-option` for one of another training
 */
export async function restoreCheckpoint(
  bytes: Uint8Array,
  state: TrainingState,
  identity: string,
): Promise<void> {
  const header = await readHeader(bytes);
  if (header.identity !== identity)
    throw new PruneError('invalid-option', 'the checkpoint is of another model, plan, data or options; give the same, or another folder'); // prettier-ignore
  if (header.hasAverage) state.average = new Map([...state.values].map(([name, own]) => [name, own.slice()]));
  const arrays = arraysOf(state, header.hasAverage);
  const floats = arrays.reduce((sum, array) => sum + array.length, 0);
  const end = bytes.length - 32;
  let at = end - 4 * floats;
  if (at !== magic.length + 4 + textLength(bytes)) throw damaged('its arrays have other sizes');
  for (const array of arrays) {
    new Uint8Array(array.buffer, array.byteOffset, array.byteLength).set(bytes.subarray(at, at + array.byteLength)); // prettier-ignore
    if (!array.every(Number.isFinite)) throw damaged('it holds numbers that are not finite');
    at += array.byteLength;
  }
  const { bestLoss, bestPass, firstLoss, passes, step, milliseconds } = header;
  Object.assign(state, { bestLoss, bestPass, firstLoss, step, milliseconds });
  state.passes.splice(0, state.passes.length, ...passes);
}

/** All arrays of a state, in the order of their names in it. */
function arraysOf(state: TrainingState, hasAverage: boolean): readonly Float32Array[] {
  const all = (values: Values | undefined): Float32Array[] => [...(values?.values() ?? [])];
  const average = hasAverage ? all(state.average) : [];
  const leaves = [...state.leaves].flatMap(([name, own]) => (state.values.has(name) ? [] : [own]));
  return [
    ...all(state.values),
    ...leaves,
    ...[...state.slots.values()].flat(),
    ...all(state.best),
    ...average,
  ];
}

async function readHeader(bytes: Uint8Array): Promise<Header> {
  if (bytes.length < magic.length + 36 || !magic.every((byte, i) => bytes[i] === byte))
    throw damaged('it does not begin as one');
  const sum = await digest(bytes.subarray(0, -32));
  if (!sum.every((byte, i) => bytes[bytes.length - 32 + i] === byte)) throw damaged('its sum is wrong');
  const length = textLength(bytes);
  if (length > bytes.length - magic.length - 36) throw damaged('its header is cut off');
  let header: unknown;
  try {
    header = JSON.parse(
      new TextDecoder().decode(bytes.subarray(magic.length + 4, magic.length + 4 + length)),
    );
  } catch (cause) {
    throw damaged('its header is no JSON', cause);
  }
  if (!isHeader(header)) throw damaged('its header lacks something');
  return header;
}

function textLength(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(magic.length, true);
}

function isHeader(value: unknown): value is Header {
  if (typeof value !== 'object' || value === null) return false;
  const { identity, hasAverage, passes, ...numbers } = value as Record<string, unknown>;
  const isPass = (pass: unknown): boolean =>
    typeof pass === 'object' && pass !== null && ['pass', 'loss', 'heldOut'].every((key) => typeof (pass as Record<string, unknown>)[key] === 'number'); // prettier-ignore
  return (
    typeof identity === 'string' &&
    typeof hasAverage === 'boolean' &&
    Array.isArray(passes) &&
    passes.every(isPass) &&
    ['bestLoss', 'bestPass', 'firstLoss', 'step', 'milliseconds'].every((key) =>
      Number.isFinite(numbers[key]),
    )
  );
}

function damaged(why: string, cause?: unknown): PruneError {
  return new PruneError('invalid-file', `the checkpoint is damaged: ${why}; remove it, or give another folder`, { cause }); // prettier-ignore
}

async function digest(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
}

/** The SHA-256 of some parts one after the other, in hexadecimal: what tells one training from another. */
export async function identityOf(parts: readonly (string | Uint8Array)[]): Promise<string> {
  const sums: Uint8Array[] = [];
  for (const part of parts)
    sums.push(await digest(typeof part === 'string' ? new TextEncoder().encode(part) : part));
  const all = new Uint8Array(sums.length * 32);
  sums.forEach((sum, i) => all.set(sum, 32 * i));
  return Array.from(await digest(all), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
