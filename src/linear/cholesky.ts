import type { MatrixProduct } from './product.js';

/** A symmetric positive definite matrix as L Lᵀ; row-major, only the lower triangle means anything. */
export interface Cholesky {
  readonly lower: Float64Array;
  readonly size: number;
}

/** Columns factored in plain loops at a time; everything outside a block is matrix products. */
const blockSize = 64;

/**
 * Blocked left-looking Cholesky factorisation (Golub and Van Loan, "Matrix Computations", 4.2.6). Only the lower
 * triangle is read; the matrix is overwritten.
 * @returns undefined if the matrix is not positive definite to rounding.
 */
export async function cholesky(
  matrix: Float64Array,
  size: number,
  product: MatrixProduct,
): Promise<Cholesky | undefined> {
  for (let start = 0; start < size; start += blockSize) {
    const end = Math.min(size, start + blockSize);
    await subtractKnown(matrix, size, start, end, product);
    if (!factorBlock(matrix, size, start, end)) return undefined;
  }
  return { lower: matrix, size };
}

/** A[start:, start:end] −= L[start:, :start] L[start:end, :start]ᵀ */
async function subtractKnown(
  matrix: Float64Array,
  size: number,
  start: number,
  end: number,
  product: MatrixProduct,
): Promise<void> {
  if (start === 0) return;
  const width = end - start;
  const rows = copyBlock(matrix, size, start, size, 0, start);
  const update = await product(rows, rows.subarray(0, width * start), size - start, width, start);
  for (let i = start, u = 0; i < size; i++)
    for (let j = start; j < end; j++) matrix[i * size + j]! -= update[u++]!;
}

/** Factors columns [start, end) once everything to their left is subtracted; also below the diagonal block. */
function factorBlock(matrix: Float64Array, size: number, start: number, end: number): boolean {
  for (let j = start; j < end; j++) {
    const row = j * size;
    let pivot = matrix[row + j]!;
    const scale = pivot;
    for (let k = start; k < j; k++) pivot -= matrix[row + k]! ** 2;
    // Pivots that are rounding and nothing else would blow the solution up.
    if (!(pivot > Math.abs(scale) * 1e-13)) return false;
    const root = Math.sqrt(pivot);
    matrix[row + j] = root;
    for (let i = j + 1; i < size; i++) {
      const other = i * size;
      let sum = matrix[other + j]!;
      for (let k = start; k < j; k++) sum -= matrix[other + k]! * matrix[row + k]!;
      matrix[other + j] = sum / root;
    }
  }
  return true;
}

/**
 * X with X (L Lᵀ) = B, for `count` right-hand sides in the rows of B, which is overwritten and returned.
 */
export async function solveRows(
  { lower, size }: Cholesky,
  rows: Float64Array,
  count: number,
  product: MatrixProduct,
): Promise<Float64Array> {
  for (let start = 0; start < size; start += blockSize) {
    const end = Math.min(size, start + blockSize);
    if (start > 0) {
      const known = copyBlock(rows, size, 0, count, 0, start);
      const factor = copyBlock(lower, size, start, end, 0, start);
      subtract(rows, size, start, end, await product(known, factor, count, end - start, start));
    }
    for (let r = 0; r < count; r++)
      for (let j = start; j < end; j++) {
        let sum = rows[r * size + j]!;
        for (let k = start; k < j; k++) sum -= rows[r * size + k]! * lower[j * size + k]!;
        rows[r * size + j] = sum / lower[j * size + j]!;
      }
  }
  const blocks = Math.ceil(size / blockSize);
  for (let block = blocks - 1; block >= 0; block--) {
    const start = block * blockSize;
    const end = Math.min(size, start + blockSize);
    if (end < size) {
      const known = copyBlock(rows, size, 0, count, end, size);
      const factor = transposedBlock(lower, size, end, size, start, end);
      subtract(rows, size, start, end, await product(known, factor, count, end - start, size - end));
    }
    for (let r = 0; r < count; r++)
      for (let j = end - 1; j >= start; j--) {
        let sum = rows[r * size + j]!;
        for (let k = j + 1; k < end; k++) sum -= rows[r * size + k]! * lower[k * size + j]!;
        rows[r * size + j] = sum / lower[j * size + j]!;
      }
  }
  return rows;
}

function subtract(rows: Float64Array, size: number, start: number, end: number, update: Float64Array): void {
  const width = end - start;
  const count = update.length / width;
  for (let r = 0, u = 0; r < count; r++)
    for (let j = start; j < end; j++) rows[r * size + j]! -= update[u++]!;
}

function copyBlock(
  matrix: Float64Array,
  stride: number,
  fromRow: number,
  toRow: number,
  fromColumn: number,
  toColumn: number,
): Float64Array {
  const width = toColumn - fromColumn;
  const out = new Float64Array((toRow - fromRow) * width);
  for (let i = fromRow, at = 0; i < toRow; i++, at += width)
    out.set(matrix.subarray(i * stride + fromColumn, i * stride + toColumn), at);
  return out;
}

function transposedBlock(
  matrix: Float64Array,
  stride: number,
  fromRow: number,
  toRow: number,
  fromColumn: number,
  toColumn: number,
): Float64Array {
  const height = toRow - fromRow;
  const out = new Float64Array((toColumn - fromColumn) * height);
  for (let i = fromRow; i < toRow; i++)
    for (let j = fromColumn; j < toColumn; j++)
      out[(j - fromColumn) * height + (i - fromRow)] = matrix[i * stride + j]!;
  return out;
}
