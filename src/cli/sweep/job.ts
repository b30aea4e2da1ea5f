import type { Data, PruneSettings } from '../../api.js';
import type { Provider } from '../../runtime/runtime.js';
import type { Cell, CellResult } from '../../sweep/cells.js';
import type { Given } from '../flags.js';

/** Everything a worker needs, as JSON. */
export interface SweepSetting {
  readonly model: string;
  /** What all cells have in common. */
  readonly options: Given<PruneSettings>;
  /** What both models are judged on. */
  readonly evalData: Data;
  readonly bench: boolean;
  readonly provider: Provider | undefined;
  readonly threads: number | undefined;
}

/** To a worker: judge the dense model, or try a cell. */
export interface Job {
  readonly setting: SweepSetting;
  readonly cell: Cell | undefined;
}

/** From a worker. */
export type Answer = CellResult | { readonly denseAccuracy: number | undefined };
