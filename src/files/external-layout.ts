import { MemoryBytes, type ByteSource } from '../onnx/bytes.js';
import type { ExternalEntries } from '../onnx/external.js';
import type { StringEntry } from '../onnx/message.js';
import type { Model } from '../onnx/model.js';
import type { Tensor, TensorData } from '../onnx/tensor.js';
import { allTensors } from '../onnx/walk.js';

/** What goes where in the data file beside a model. */
export interface ExternalLayout {
  /** Name of the data file, in the model's folder. */
  readonly location: string;
  readonly entries: ExternalEntries;
  readonly byteLength: number;
  /** The content, one after the other; nothing is read yet. */
  readonly parts: readonly ByteSource[];
}

/**
 * Which weights are stored in a file of their own. `auto`: those that were, and all of a model that protobuf can't
 * hold. `always`: all but small ones. `never`: none, which fails for a model of more than 2 GiB.
 */
export type ExternalDataMode = (typeof externalDataModes)[number];

export const externalDataModes = ['auto', 'never', 'always'] as const;

export interface LayoutOptions {
  /** Default `auto`. */
  readonly mode?: ExternalDataMode;
  /** Names of data files that must not be written over. Default: none. The model's own are never. */
  readonly taken?: Iterable<string>;
  /** Bytes of weights above which `auto` moves them out. Default: just below protobuf's 2 GiB. */
  readonly inlineLimit?: number;
}

/** Above this, weights leave the protobuf: its limit is 2 GiB, and the graph itself needs room. */
const maxInlineBytes = 2 ** 31 - 2 ** 27;
/** Smaller tensors stay inline then, as in onnx's own tools. */
const minExternalBytes = 1024;
/** onnx recommends whole pages (64 KiB on Windows) for tensors of a megabyte or more, so that they can be mapped. */
const pageBytes = 65536;
const largeBytes = 2 ** 20;
const smallAlignment = 64;

/** Undefined for a model that fits in one file and was in one, or is to be. */
export function layOutExternal(
  model: Model,
  fileName: string,
  { mode = 'auto', taken: given = [], inlineLimit = maxInlineBytes }: LayoutOptions = {},
): ExternalLayout | undefined {
  if (mode === 'never') return undefined;
  const tensors = new Set(allTensors(model));
  let inlineBytes = 0;
  for (const { data } of tensors) if (isInline(data)) inlineBytes += data.byteLength;
  const all = mode === 'always' || inlineBytes > inlineLimit;
  const outside: Tensor[] = [];
  const taken = new Set(Array.from(given, normalName));
  for (const tensor of tensors) {
    const { data } = tensor;
    const moves = all && isInline(data) && data.byteLength >= minExternalBytes;
    if (data.storage === 'external' || moves) outside.push(tensor);
    const location = locationOf(tensor);
    if (location) taken.add(normalName(location));
  }
  if (outside.length === 0) return undefined;

  const location = freeName(`${fileName}.data`, taken);
  const entries = new Map<Tensor, readonly StringEntry[]>();
  const parts: ByteSource[] = [];
  let end = 0;
  for (const tensor of outside) {
    const { byteLength } = tensor.data;
    const alignment = byteLength >= largeBytes ? pageBytes : smallAlignment;
    const offset = Math.ceil(end / alignment) * alignment;
    if (offset > end) parts.push(new MemoryBytes(new Uint8Array(offset - end)));
    parts.push(tensor.data);
    end = offset + byteLength;
    entries.set(tensor, [
      { key: 'location', value: location },
      { key: 'offset', value: String(offset) },
      { key: 'length', value: String(byteLength) },
    ]);
  }
  return { location, entries, byteLength: end, parts };
}

/** Names of the data files that a model's tensors are in, as they stand in the file. */
export function dataFilesOf(model: Model): Set<string> {
  const names = new Set<string>();
  for (const tensor of allTensors(model)) {
    const location = locationOf(tensor);
    if (location) names.add(location);
  }
  return names;
}

/** Whether a data file's name is one that `layOutExternal` gives to a model of that file name. */
export function isDataFileName(location: string, fileName: string): boolean {
  return location.startsWith(fileName) && /^(\.\d+)?\.data$/.test(location.slice(fileName.length));
}

const locationOf = ({ data }: Tensor): string | undefined =>
  data.externalEntries?.find(({ key }) => key === 'location')?.value;

const isInline = ({ storage }: TensorData): boolean => storage === 'raw' || storage === 'typed';

/** The source's own data files are still read from while the new one is written, and others belong to another model. */
function freeName(name: string, taken: ReadonlySet<string>): string {
  if (!taken.has(normalName(name))) return name;
  for (let i = 2; ; i++) {
    const candidate = name.replace(/\.data$/, `.${i}.data`);
    if (!taken.has(normalName(candidate))) return candidate;
  }
}

function normalName(location: string): string {
  return location.replace(/^(\.[/\\])+/, '').toLowerCase();
}
