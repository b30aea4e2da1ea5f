import { PruneError } from '../errors.js';
import type { ByteSource, FilePlace } from './bytes.js';
import type { DataType } from './data-type.js';
import { bitsOf } from './data-type.js';
import type { ExternalRange, ExternalReader } from './external.js';
import { externalRange } from './external.js';
import type { StringEntry } from './message.js';
import type { TensorData } from './tensor.js';
import { typedFields } from './unknown-fields.js';

/** Elements held in memory, as in raw_data. */
export class RawData implements TensorData {
  constructor(
    private readonly view: Uint8Array,
    readonly storage: 'raw' | 'external' = 'raw',
  ) {}

  get byteLength(): number {
    return this.view.length;
  }

  bytes(): Uint8Array {
    return this.view;
  }

  read(from: number, to: number): Uint8Array {
    return this.view.subarray(from, to);
  }
}

/** Elements wherever `source` has them, as in raw_data: in a file, or computed from another tensor. */
export class StoredData implements TensorData {
  constructor(
    private readonly source: ByteSource,
    readonly storage: 'raw' | 'external' = 'raw',
  ) {}

  get byteLength(): number {
    return this.source.byteLength;
  }

  get file(): FilePlace | undefined {
    return this.source.file;
  }

  bytes(): Uint8Array {
    return this.source.read(0, this.source.byteLength);
  }

  read(from: number, to: number, scratch?: Uint8Array): Uint8Array {
    return this.source.read(from, to, scratch);
  }
}

/** `float_data`, `int32_data`, ... as packed in the file: floats are a view, integers are decoded when asked for. */
export class TypedData implements TensorData {
  readonly storage = 'typed';

  constructor(
    private readonly tensorName: string,
    private readonly dtype: DataType,
    readonly byteLength: number,
    /** Field number in TensorProto. */
    readonly field: number,
    readonly packed: Uint8Array,
  ) {}

  read(from: number, to: number): Uint8Array {
    return this.bytes().subarray(from, to);
  }

  bytes(): Uint8Array {
    if (this.field === typedFields.float || this.field === typedFields.double) return this.packed;
    const out = new Uint8Array(this.byteLength);
    const bits = bitsOf(this.dtype);
    if (bits === undefined)
      throw new PruneError(
        'unsupported',
        `tensor '${this.tensorName}' has the unknown element type ${this.dtype}; update onnx-prune`,
      );
    // 4-bit types are stored as one byte with two elements an entry.
    const width = Math.max(1, bits / 8);
    const end = this.packed.length;
    let at = 0;
    let written = 0;
    while (at < end && written < out.length) {
      let shift = 0;
      let current = 0;
      let position = 0;
      let byte: number;
      do {
        byte = this.packed[at++]!;
        current |= (byte & 127) << shift;
        shift += 7;
        while (shift >= 8) {
          if (position < width) out[written + position] = current & 255;
          position++;
          current = (byte & 127) >>> (7 - (shift - 8));
          shift -= 8;
        }
      } while (byte > 127 && at < end);
      if (position < width) out[written + position] = current & 255;
      written += width;
      if (byte > 127) written = -1;
    }
    if (at < end || written !== out.length)
      throw new PruneError(
        'invalid-file',
        `tensor '${this.tensorName}' has not as many elements as its dims say; export the model again`,
      );
    return out;
  }
}

/** Elements in another file, read range by range each time they are asked for. */
export class ExternalData implements TensorData {
  readonly storage = 'external';
  readonly byteLength: number;
  private readonly range: ExternalRange;

  /** @throws PruneError for a range that `reader` refuses. */
  constructor(
    private readonly tensorName: string,
    byteLength: number | undefined,
    readonly externalEntries: readonly StringEntry[],
    private readonly reader: ExternalReader | undefined,
  ) {
    this.range = externalRange(externalEntries, tensorName, byteLength);
    this.byteLength = this.range.length;
    reader?.check(this.range);
  }

  get file(): FilePlace | undefined {
    return this.reader?.place?.(this.range);
  }

  bytes(): Uint8Array {
    return this.read(0, this.byteLength);
  }

  read(from: number, to: number, scratch?: Uint8Array): Uint8Array {
    const { location, offset } = this.range;
    const part = { location, offset: offset + from, length: to - from };
    if (this.reader) return this.reader.read(part, scratch);
    throw new PruneError(
      'invalid-file',
      `tensor '${this.tensorName}' is stored in another file; read the model from its folder`,
    );
  }
}

/** No elements at all, though the dims say there should be. */
export class AbsentData implements TensorData {
  readonly storage = 'absent';

  constructor(
    private readonly tensorName: string,
    readonly byteLength: number,
  ) {}

  read(): Uint8Array {
    return this.bytes();
  }

  bytes(): Uint8Array {
    throw new PruneError(
      'invalid-file',
      `tensor '${this.tensorName}' has no data, its weights were stripped; use the model with its weights`,
    );
  }
}

export class StringData implements TensorData {
  readonly storage = 'strings';

  constructor(
    private readonly tensorName: string,
    readonly strings: readonly Uint8Array[],
  ) {}

  get byteLength(): number {
    return this.strings.reduce((total, entry) => total + entry.length, 0);
  }

  read(): Uint8Array {
    return this.bytes();
  }

  bytes(): Uint8Array {
    throw new PruneError(
      'unsupported',
      `tensor '${this.tensorName}' holds strings, not numbers; exclude the node that uses it`,
    );
  }
}
