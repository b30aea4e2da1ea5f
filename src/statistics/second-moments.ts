/** One block of rows, summarised: means, and sums of products of deviations from these means. */
export interface MomentBlock {
  readonly rows: number;
  /** [groups, inputs] and [groups, outputs]. */
  readonly xMean: ArrayLike<number>;
  readonly yMean: ArrayLike<number>;
  /** Σ x xᵀ: [groups, inputs, inputs]. */
  readonly xx: ArrayLike<number>;
  /** Σ y xᵀ: [groups, outputs, inputs]; only where products with y are taken. */
  readonly yx?: ArrayLike<number> | undefined;
  /** Σ y²: [groups, outputs]. */
  readonly yy: ArrayLike<number>;
}

/**
 * Second moments of the inputs x of a layer and of what it should put out, y, about their means; streamed.
 * A block is centred on its own means when it is summarised in float32, and blocks are merged in float64 (Chan, Golub
 * and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances", 1979): no large sums
 * cancel, so float32 loses nothing that matters.
 */
export class SecondMoments {
  rows = 0;
  readonly xMean: Float64Array;
  readonly yMean: Float64Array;
  readonly xx: Float64Array;
  readonly yx: Float64Array;
  readonly yy: Float64Array;

  constructor(
    readonly groups: number,
    /** Inputs of a group. */
    readonly inputs: number,
    /** Outputs of a group. */
    readonly outputs: number,
    /** Whether products of y with x are taken. */
    readonly hasProducts = true,
  ) {
    this.xMean = new Float64Array(groups * inputs);
    this.yMean = new Float64Array(groups * outputs);
    this.xx = new Float64Array(groups * inputs * inputs);
    this.yx = new Float64Array(hasProducts ? groups * outputs * inputs : 0);
    this.yy = new Float64Array(groups * outputs);
  }

  add(block: MomentBlock): void {
    if (block.rows === 0) return;
    const { groups, inputs, outputs } = this;
    const total = this.rows + block.rows;
    const weight = (this.rows * block.rows) / total;
    const share = block.rows / total;
    const dx = new Float64Array(inputs);
    for (let g = 0; g < groups; g++) {
      const [x0, y0] = [g * inputs, g * outputs];
      for (let j = 0; j < inputs; j++) dx[j] = block.xMean[x0 + j]! - this.xMean[x0 + j]!;
      for (let i = 0; i < inputs; i++) addRow(this.xx, block.xx, (x0 + i) * inputs, dx, weight * dx[i]!);
      for (let i = 0; i < outputs; i++) {
        const dy = block.yMean[y0 + i]! - this.yMean[y0 + i]!;
        if (block.yx) addRow(this.yx, block.yx, (y0 + i) * inputs, dx, weight * dy);
        this.yy[y0 + i]! += block.yy[y0 + i]! + weight * dy * dy;
        this.yMean[y0 + i]! += share * dy;
      }
      for (let j = 0; j < inputs; j++) this.xMean[x0 + j]! += share * dx[j]!;
    }
    this.rows = total;
  }
}

function addRow(
  sums: Float64Array,
  block: ArrayLike<number>,
  start: number,
  delta: Float64Array,
  factor: number,
): void {
  for (let j = 0; j < delta.length; j++) sums[start + j]! += block[start + j]! + factor * delta[j]!;
}
