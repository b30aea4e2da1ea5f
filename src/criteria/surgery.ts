/** A layer that reads channels, as `MemberHessian` has it. */
export interface SurgeryInput {
  /** [outputs, columns] */
  readonly weights: Float64Array;
  readonly outputs: number;
  /** [columns, columns]; symmetric, positive definite. */
  readonly inverse: Float64Array;
  /** Channel that each column belongs to; −1 for none. */
  readonly channels: Int32Array;
}

/** Multiplications that it takes to remove all channels one by one, about. */
export function surgeryWork({ outputs, channels }: SurgeryInput): number {
  const width = channels.length;
  return width ** 3 / 6 + outputs * width ** 2;
}

/**
 * One layer as channels go, one after the other: H⁻¹ −= H⁻¹_:B [(H⁻¹)_BB]⁻¹ H⁻¹_B:, and the weights with it, column by
 * column, which comes to the same. What is left stands in front, so that loops get shorter as channels go, and of H⁻¹ only
 * the lower triangle is kept up.
 */
export class Surgery {
  /** What each channel costs if it goes next: Σ over rows of w_B [(H⁻¹)_BB]⁻¹ w_Bᵀ; 0 for those that are gone. */
  readonly losses: Float64Array;
  /** Columns that are left. */
  private left: number;
  /** [columns, columns], by place. */
  private readonly inverse: Float64Array;
  /** [columns, outputs], by place: a column's weights lie side by side. */
  private readonly weights: Float64Array;
  private readonly width: number;
  private readonly placeOf: Int32Array;
  private readonly columnAt: Int32Array;
  private readonly columnsOf: readonly Int32Array[];

  constructor({ weights, outputs, inverse, channels }: SurgeryInput, size: number) {
    this.width = channels.length;
    this.left = this.width;
    this.inverse = inverse.slice();
    this.weights = transposed(weights, outputs, this.width);
    this.placeOf = Int32Array.from(channels.keys());
    this.columnAt = this.placeOf.slice();
    const lists = Array.from({ length: size }, (): number[] => []);
    channels.forEach((channel, column) => lists[channel]?.push(column));
    this.columnsOf = lists.map((list) => Int32Array.from(list));
    this.losses = Float64Array.from(lists, (_, channel) => this.lossOf(channel));
  }

  /** A channel that is still there goes. */
  remove(channel: number): void {
    const columns = this.columnsOf[channel]!;
    for (const column of columns) {
      this.moveTo(this.placeOf[column]!, --this.left);
      this.eliminate(this.left);
    }
    this.losses[channel] = 0;
    if (columns.length === 0) return;
    this.columnsOf.forEach((others, other) => {
      if (others.length > 0 && this.placeOf[others[0]!]! < this.left) this.losses[other] = this.lossOf(other);
    });
  }

  /** The trace of [(H⁻¹)_BB]⁻¹ W_B W_Bᵀ. */
  private lossOf(channel: number): number {
    const columns = this.columnsOf[channel]!;
    const count = columns.length;
    if (count === 1) {
      const place = this.placeOf[columns[0]!]!;
      return this.product(place, place) / this.inverse[place * this.width + place]!;
    }
    const places = columns.map((column) => this.placeOf[column]!).sort();
    const block = new Float64Array(count * count);
    const products = new Float64Array(count * count);
    for (let i = 0; i < count; i++)
      for (let j = 0; j <= i; j++) {
        block[i * count + j] = this.inverse[places[i]! * this.width + places[j]!]!;
        products[i * count + j] = this.product(places[i]!, places[j]!);
      }
    return traceOfRatio(block, products, count);
  }

  /** The product of the weights of two columns. */
  private product(a: number, b: number): number {
    const { weights, width } = this;
    const outputs = weights.length / width;
    let sum = 0;
    for (let r = 0, i = a * outputs, j = b * outputs; r < outputs; r++) sum += weights[i++]! * weights[j++]!;
    return sum;
  }

  /** Two places change what stands there. */
  private moveTo(from: number, to: number): void {
    if (from === to) return;
    const { inverse, weights, width } = this;
    const outputs = weights.length / width;
    // from < to; what is left of both, between them, and the two diagonals. What is beyond `to` is gone.
    for (let k = 0; k < from; k++) exchange(inverse, from * width + k, to * width + k);
    for (let k = from + 1; k < to; k++) exchange(inverse, k * width + from, to * width + k);
    exchange(inverse, from * width + from, to * width + to);
    for (let r = 0; r < outputs; r++) exchange(weights, from * outputs + r, to * outputs + r);
    const [a, b] = [this.columnAt[from]!, this.columnAt[to]!];
    [this.columnAt[from], this.columnAt[to]] = [b, a];
    [this.placeOf[b], this.placeOf[a]] = [from, to];
  }

  /** Takes the last column out of all that stand before it. */
  private eliminate(last: number): void {
    const { inverse, weights, width } = this;
    const outputs = weights.length / width;
    const row = inverse.subarray(last * width, last * width + last);
    const own = weights.subarray(last * outputs, (last + 1) * outputs);
    const pivot = inverse[last * width + last]!;
    for (let i = 0; i < last; i++) {
      const factor = row[i]! / pivot;
      if (factor === 0) continue;
      const at = i * width;
      for (let j = 0; j <= i; j++) inverse[at + j]! -= factor * row[j]!;
      const to = i * outputs;
      for (let r = 0; r < outputs; r++) weights[to + r]! -= factor * own[r]!;
    }
  }
}

function transposed(matrix: Float64Array, rows: number, columns: number): Float64Array {
  const out = new Float64Array(matrix.length);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) out[c * rows + r] = matrix[r * columns + c]!;
  return out;
}

function exchange(values: Float64Array, a: number, b: number): void {
  const value = values[a]!;
  values[a] = values[b]!;
  values[b] = value;
}

/** The trace of A⁻¹ G, both symmetric with their lower triangles given: by A = L Lᵀ that of L⁻¹ G L⁻ᵀ. Overwrites both. */
function traceOfRatio(a: Float64Array, g: Float64Array, size: number): number {
  let trace = 0;
  // Eliminating one after the other: what is left of G's diagonal over the pivot.
  for (let k = 0; k < size; k++) {
    const pivot = a[k * size + k]!;
    trace += g[k * size + k]! / pivot;
    for (let i = k + 1; i < size; i++) {
      const factor = a[i * size + k]! / pivot;
      if (factor === 0) continue;
      for (let j = k + 1; j <= i; j++) {
        const other = a[j * size + k]! / pivot;
        g[i * size + j]! -=
          factor * g[j * size + k]! + other * g[i * size + k]! - factor * other * g[k * size + k]!;
        a[i * size + j]! -= factor * a[j * size + k]!;
      }
    }
  }
  return trace;
}
