import { PruneError } from '../errors.js';
import type { ExternalEntries } from '../onnx/encode.js';
import type { Model, StringEntry } from '../onnx/model.js';
import type { Tensor, TensorData } from '../onnx/tensor.js';
import { allTensors } from '../onnx/walk.js';

/** What goes where in the data file beside a model. */
export interface ExternalLayout {
  /** Name of the data file, in the model's folder. */
  readonly location: string;
  readonly entries: ExternalEntries;
  readonly byteLength: number;
  /** The content, tensor by tensor: no more than one is read at a time. */
  chunks(): Iterable<Uint8Array>;
}

/** Above this, weights leave the protobuf: its limit is 2 GiB, and the graph itself needs room. */
const maxInlineBytes = 2 ** 31 - 2 ** 27;
/** Smaller tensors stay inline then, as in onnx's own tools. */
const minExternalBytes = 1024;
/** onnx recommends whole pages (64 KiB on Windows) for tensors of a megabyte or more, so that they can be mapped. */
const pageBytes = 65536;
const largeBytes = 2 ** 20;
const smallAlignment = 64;

/** Undefined for a model that fits in one file and was in one. */
export function layOutExternal(
  model: Model,
  fileName: string,
  inlineLimit = maxInlineBytes,
): ExternalLayout | undefined {
  const tensors = new Set(allTensors(model));
  let inlineBytes = 0;
  for (const { data } of tensors) if (isInline(data)) inlineBytes += data.byteLength;
  const tooLarge = inlineBytes > inlineLimit;
  const outside: Tensor[] = [];
  const taken = new Set<string>();
  for (const tensor of tensors) {
    const { data } = tensor;
    const moves = tooLarge && isInline(data) && data.byteLength >= minExternalBytes;
    if (data.storage === 'external' || moves) outside.push(tensor);
    const location = data.externalEntries?.find(({ key }) => key === 'location')?.value;
    if (location) taken.add(normalName(location));
  }
  if (outside.length === 0) return undefined;

  const location = freeName(`${fileName}.data`, taken);
  const entries = new Map<Tensor, readonly StringEntry[]>();
  const offsets: number[] = [];
  let end = 0;
  for (const tensor of outside) {
    const { byteLength } = tensor.data;
    const alignment = byteLength >= largeBytes ? pageBytes : smallAlignment;
    const offset = Math.ceil(end / alignment) * alignment;
    offsets.push(offset);
    end = offset + byteLength;
    entries.set(tensor, [
      { key: 'location', value: location },
      { key: 'offset', value: String(offset) },
      { key: 'length', value: String(byteLength) },
    ]);
  }
  return {
    location,
    entries,
    byteLength: end,
    *chunks() {
      let at = 0;
      for (const [i, tensor] of outside.entries()) {
        if (offsets[i]! > at) yield new Uint8Array(offsets[i]! - at);
        const bytes = tensor.data.bytes();
        if (bytes.length !== tensor.data.byteLength)
          throw new PruneError(
            'internal',
            `tensor '${tensor.name}' changed its size while being written; report this`,
          );
        yield bytes;
        at = offsets[i]! + bytes.length;
      }
    },
  };
}

const isInline = ({ storage }: TensorData): boolean => storage === 'raw' || storage === 'typed';

/** The source's own data files are still read from while the new one is written, and belong to another model. */
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
