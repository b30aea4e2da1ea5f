import {
  CholeskyDecomposition,
  EigenvalueDecomposition,
  Matrix,
  SingularValueDecomposition,
  inverse,
} from 'ml-matrix';

/** New coordinates of a space, z = forward x and x = backward z, the most important first. */
export interface Basis {
  readonly forward: Matrix;
  readonly backward: Matrix;
  /** What leaving out a coordinate costs, as a share of all; descending. */
  readonly losses: Float64Array;
}

/** What covariances are damped by, as a share of the mean of the diagonal: directions in which little varies stay invertible. */
const damping = 1e-3;

/** Singular values below this share of the largest have no direction of their own. */
const smallest = 1e-10;

/**
 * The basis in which leaving out the last coordinates costs the least: for every rank r the first r of them give the
 * best approximation of W x of that rank, on average over x of covariance C = L Lᵀ. It comes from the singular value
 * decomposition of W L (Eckart and Young, 1936; for the input of a layer as in Ashkboos et al., "SliceGPT", 2024, and
 * Wang et al., "SVD-LLM", 2024). What a coordinate is worth is shared evenly by those who write and who read it, so that
 * norms of weights tell it.
 *
 * @param metric Wᵀ W: [n, n]
 */
export function readBasis(covariance: Matrix, metric: Matrix): Basis | undefined {
  const lower = choleskyOf(covariance);
  if (!lower) return undefined;
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(
    symmetric(lower.transpose().mmul(metric).mmul(lower)),
    { assumeSymmetric: true },
  );
  // Ascending, as the decomposition gives them.
  const order = realEigenvalues.map((_, i) => realEigenvalues.length - 1 - i);
  const values = order.map((i) => Math.max(realEigenvalues[i]!, smallest * realEigenvalues.at(-1)!));
  if (!(values[0]! > 0)) return undefined;
  const vectors = new Matrix(order.length, order.length);
  order.forEach((from, to) => vectors.setColumn(to, eigenvectorMatrix.getColumn(from)));
  const roots = values.map((value) => value ** 0.25);
  const scale = Math.sqrt(covariance.trace() / roots.reduce((sum, root) => sum + root ** 2, 0));
  const forward = vectors
    .transpose()
    .mmul(inverse(lower))
    .mulColumnVector(roots.map((root) => root * scale));
  const backward = lower.mmul(vectors).divRowVector(roots.map((root) => root * scale));
  return { forward, backward, losses: shares(values) };
}

/**
 * The bases of two spaces in which the first r coordinates give the best approximation of rank r of the products qᵀ k:
 * from the singular value decomposition of Lqᵀ Lk, for second moments Lq Lqᵀ and Lk Lkᵀ of the two.
 */
export function productBases(
  left: Matrix,
  right: Matrix,
): { left: Matrix; right: Matrix; losses: Float64Array } | undefined {
  const [lq, lk] = [choleskyOf(left), choleskyOf(right)];
  if (!lq || !lk) return undefined;
  const svd = new SingularValueDecomposition(lq.transpose().mmul(lk), { autoTranspose: true });
  const values = svd.diagonal;
  if (!(values[0]! > 0)) return undefined;
  const roots = values.map((value) => Math.sqrt(Math.max(value, smallest * values[0]!)));
  const turned = (vectors: Matrix, lower: Matrix): Matrix =>
    vectors.transpose().mmul(inverse(lower)).mulColumnVector(roots);
  const [q, k] = [turned(svd.leftSingularVectors, lq), turned(svd.rightSingularVectors, lk)];
  return { left: q, right: k, losses: shares(values.map((value) => value ** 2)) };
}

function shares(values: readonly number[]): Float64Array {
  const total = values.reduce((sum, value) => sum + value, 0);
  return Float64Array.from(values, (value) => value / total);
}

function choleskyOf(moments: Matrix): Matrix | undefined {
  const size = moments.rows;
  const lambda = (damping * moments.trace()) / size;
  if (!(lambda > 0)) return undefined;
  const damped = symmetric(moments);
  for (let i = 0; i < size; i++) damped.set(i, i, damped.get(i, i) + lambda);
  const cholesky = new CholeskyDecomposition(damped);
  return cholesky.isPositiveDefinite() ? cholesky.lowerTriangularMatrix : undefined;
}

function symmetric(matrix: Matrix): Matrix {
  return Matrix.add(matrix, matrix.transpose()).mul(0.5);
}
