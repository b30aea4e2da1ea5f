/** Writes an IDX file of unsigned bytes. */
export function writeIdx(dims: readonly number[], bytes: ArrayLike<number>): Uint8Array {
  const out = new Uint8Array(4 + 4 * dims.length + bytes.length);
  out.set([0, 0, 8, dims.length]);
  dims.forEach((dim, axis) =>
    out.set(
      [dim >>> 24, dim >>> 16, dim >>> 8, dim].map((byte) => byte & 255),
      4 + 4 * axis,
    ),
  );
  out.set(bytes, 4 + 4 * dims.length);
  return out;
}
