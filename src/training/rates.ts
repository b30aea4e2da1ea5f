import { PruneError } from '../errors.js';

/**
 * How the learning rate goes over training, as a share of the highest one. `constant`; `linear` and `cosine` fall to 0;
 * `one-cycle` (Smith and Topin, "Super-Convergence", 2018) rises from 1/25 over the first 30 %, then falls to 4e-6, both
 * along half a cosine, as PyTorch's does.
 */
export const rateSchedules = ['constant', 'linear', 'cosine', 'one-cycle'] as const;

export type RateSchedule = (typeof rateSchedules)[number];

/** A name, or the share of the highest rate at each part of training, 0 to 1. */
export type RateSpec = RateSchedule | ((progress: number) => number);

const risingShare = 0.3;
const firstShare = 1 / 25;
const lastShare = firstShare / 1e4;

/**
 * The share of the highest learning rate at a point of training.
 * @param progress part of training that is done, 0 to 1
 * @param warmUp first part of training over which the rate rises linearly from 0; the schedule goes over the rest
 * @throws PruneError `invalid-option` for an unknown name
 */
export function rateAt(schedule: RateSpec, progress: number, warmUp = 0): number {
  const done = Math.min(1, Math.max(0, progress));
  if (done < warmUp) return done / warmUp;
  const t = warmUp < 1 ? (done - warmUp) / (1 - warmUp) : 1;
  if (typeof schedule === 'function') return schedule(t);
  switch (schedule) {
    case 'constant':
      return 1;
    case 'linear':
      return 1 - t;
    case 'cosine':
      return between(1, 0, t);
    case 'one-cycle':
      if (t < risingShare) return between(firstShare, 1, t / risingShare);
      return between(1, lastShare, (t - risingShare) / (1 - risingShare));
    default:
      throw new PruneError(
        'invalid-option',
        `unknown learning rate schedule: ${String(schedule)}; use one of ${rateSchedules.join(', ')}`,
      );
  }
}

/** From one value to another along half a cosine. */
function between(from: number, to: number, t: number): number {
  return to + ((from - to) * (1 + Math.cos(Math.PI * t))) / 2;
}
