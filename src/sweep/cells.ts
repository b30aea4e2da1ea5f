/** One way of pruning a model. */
export interface Cell {
  readonly target: { readonly ratio: number } | { readonly budget: Readonly<Record<string, string>> };
  readonly criterion: string;
  readonly reconstruct: boolean;
}

/** What came of a cell. Shares are of the dense model. */
export interface CellResult {
  readonly cell: Cell;
  /** Why there is no result, e.g. a budget out of reach. */
  readonly error?: string | undefined;
  readonly macs?: number | undefined;
  readonly parameters?: number | undefined;
  readonly latency?: number | undefined;
  /** Top-1 on labelled data. */
  readonly accuracy?: number | undefined;
  /** Share of examples with the dense model's class. */
  readonly agreement?: number | undefined;
  /** Mean difference of the outputs, as a share of their size. */
  readonly outputError?: number | undefined;
  readonly milliseconds: number;
}

/** A sweep as far as it got. */
export interface SweepResult {
  readonly model: string;
  /** Top-1 of the dense model on the same data. */
  readonly denseAccuracy?: number | undefined;
  /** In the order of the cells, finished ones only. */
  readonly cells: readonly CellResult[];
}

/** Every criterion at every target, with and without reconstruction as asked for. */
export function cellsOf<Criterion extends string | undefined>(
  targets: readonly Cell['target'][],
  criteria: readonly Criterion[],
  reconstruct: readonly boolean[],
): (Omit<Cell, 'criterion'> & { readonly criterion: Criterion })[] {
  return criteria.flatMap((criterion) =>
    reconstruct.flatMap((own) => targets.map((target) => ({ target, criterion, reconstruct: own }))),
  );
}

/** `ratio 0.3`, `macs=50%`. */
export function targetText({ target }: Cell): string {
  if ('ratio' in target) return `ratio ${target.ratio}`;
  return Object.entries(target.budget)
    .map(([measure, limit]) => `${measure}=${limit}`)
    .join(' ');
}

/** A name for a file, the same for the same cell and no other. */
export function cellName(cell: Cell): string {
  const parts = [cell.criterion, targetText(cell), cell.reconstruct ? 'reconstructed' : 'sliced'];
  return parts
    .join('_')
    .replaceAll('%', 'pc')
    .replaceAll(/[^\w.]+/g, '-');
}

/** How good a result is: its accuracy, else its agreement, else how small its output error is; undefined if unknown. */
export function qualityOf({ accuracy, agreement, outputError }: CellResult): number | undefined {
  return accuracy ?? agreement ?? (outputError === undefined ? undefined : -outputError);
}

/** The results that no other one beats in both quality and `cost`; ties all stay. */
export function paretoFront(
  results: readonly CellResult[],
  cost: (result: CellResult) => number | undefined,
): Set<CellResult> {
  const points = results.flatMap((result) => {
    const [quality, price] = [qualityOf(result), cost(result)];
    return result.error === undefined && quality !== undefined && price !== undefined
      ? [{ result, quality, price }]
      : [];
  });
  const isBeaten = (point: (typeof points)[number]): boolean =>
    points.some(
      (other) =>
        other.quality >= point.quality &&
        other.price <= point.price &&
        (other.quality > point.quality || other.price < point.price),
    );
  return new Set(points.filter((point) => !isBeaten(point)).map(({ result }) => result));
}
