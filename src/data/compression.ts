import { gunzipSync, unzipSync } from 'fflate';
import { PruneError } from '../errors.js';

/** Bytes that one data file may unpack to, unless the caller says otherwise: 4 GiB. */
export const defaultUnpackLimit = 2 ** 32;

/** Deflate can't do better than 1,032 : 1, so a larger claim is a lie and nothing is allocated for it. */
const deflateRatio = 1032;

export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Unpacks a gzip file of one member (RFC 1952), checking its length and CRC.
 * @throws PruneError `invalid-data` for damaged files and for those that unpack to more than `limit` bytes.
 */
export function gunzip(bytes: Uint8Array, file: string, limit = defaultUnpackLimit): Uint8Array {
  const damaged = (cause?: unknown) =>
    new PruneError('invalid-data', `'${file}' is not a whole gzip file; download or pack it again`, {
      cause,
    });
  if (bytes.length < 18) throw damaged();
  const trailer = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 8, 8);
  const length = trailer.getUint32(4, true);
  checkUnpacked(file, bytes.length, length, limit);
  let unpacked: Uint8Array;
  try {
    unpacked = gunzipSync(bytes, { out: new Uint8Array(length) });
  } catch (error) {
    throw damaged(error);
  }
  if (unpacked.length !== length || crc32(unpacked) !== trailer.getUint32(0, true)) throw damaged();
  return unpacked;
}

/**
 * The members of a zip file whose names `wanted` accepts, by name.
 * @throws PruneError `invalid-data` for damaged files and for those that unpack to more than `limit` bytes.
 */
export function unzip(
  bytes: Uint8Array,
  file: string,
  wanted: (name: string) => boolean = () => true,
  limit = defaultUnpackLimit,
): Map<string, Uint8Array> {
  let total = 0;
  let members: Record<string, Uint8Array>;
  try {
    members = unzipSync(bytes, {
      filter: ({ name, size, originalSize, compression }) => {
        if (!wanted(name)) return false;
        total += originalSize;
        // A stored member is a slice of the file, so only packed ones can claim more than is there.
        checkUnpacked(file, compression === 0 ? bytes.length : size, originalSize, limit);
        checkUnpacked(file, bytes.length, total, limit);
        return true;
      },
    });
  } catch (error) {
    if (error instanceof PruneError) throw error;
    throw new PruneError('invalid-data', `'${file}' is not a whole zip file; save it again`, {
      cause: error,
    });
  }
  return new Map(Object.entries(members));
}

function checkUnpacked(file: string, packed: number, unpacked: number, limit: number): void {
  if (unpacked > limit) {
    const size = `'${file}' unpacks to ${unpacked} bytes, the limit is ${limit}`;
    throw new PruneError('invalid-data', `${size}; split it into smaller files`);
  }
  if (unpacked > packed * deflateRatio) {
    throw new PruneError('invalid-data', `'${file}' claims an impossible unpacked size; pack it again`);
  }
}

let crcTable: Uint32Array | undefined;

function crc32(bytes: Uint8Array): number {
  crcTable ??= Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    return value;
  });
  let crc = ~0;
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ crcTable[(crc ^ bytes[i]!) & 255]!;
  return ~crc >>> 0;
}
