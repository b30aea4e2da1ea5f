import type { Data } from '../../options/data.js';
import type { PruneOptions } from '../../options/prune.js';
import type { Cell, CellResult } from '../../sweep/cells.js';

/** Everything a worker needs, as JSON. */
export interface SweepSetting {
  readonly model: string;
  /** What all cells have in common. */
  readonly options: PruneOptions;
  /** What both models are judged on. */
  readonly evalData: Data;
  readonly bench: boolean;
  /** Folder that pruned models are kept in. */
  readonly models?: string | undefined;
}

/** What a cell asks `prune` for, besides what all cells have in common. */
export function optionsOf({
  target,
  criterion,
  reconstruct,
}: Omit<Cell, 'criterion'> & { readonly criterion: string | undefined }): PruneOptions {
  return { ...target, criterion: criterion as PruneOptions['criterion'], reconstruct };
}

/** To a worker: judge the dense model, or try a cell. */
export interface Job {
  readonly setting: SweepSetting;
  readonly cell: Cell | undefined;
}

/** From a worker. */
export type Answer = CellResult | { readonly denseAccuracy: number | undefined };
