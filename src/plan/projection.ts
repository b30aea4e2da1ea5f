import type { Axis } from '../axes/axis.js';
import type { AxisCoupling } from '../axes/couple.js';
import { keepMask, isTouched, type KeptMasks } from '../axes/project.js';
import type { AxisSystem } from '../axes/system.js';

/** What a plan does to one axis. */
export interface AxisChange {
  /** Size in the dense model; NaN where it depends on data. */
  readonly before: number;
  /** Size in the pruned model. */
  readonly after: number;
  /** Which positions stay, one byte each; undefined where all do. */
  readonly mask: Uint8Array | undefined;
}

/** A plan projected on axes, each computed once. */
export class Projection {
  private readonly changes = new Map<Axis, AxisChange>();
  private readonly indices = new Map<AxisChange, Int32Array>();

  constructor(
    private readonly system: AxisSystem,
    private readonly masks: KeptMasks,
  ) {}

  of(axis: Axis): AxisChange {
    // A factor's head is shared by all axes bound to it; that of a composite is made anew at each call.
    const key = axis.kind === 'factor' ? this.system.head(axis) : axis;
    let change = this.changes.get(key);
    if (!change) this.changes.set(key, (change = this.project(key)));
    return change;
  }

  isTouched(axes: readonly Axis[] | undefined): boolean {
    return axes?.some((axis) => this.of(axis).mask !== undefined) ?? false;
  }

  /** Kept positions of an axis, ascending. */
  kept(axis: Axis): Int32Array | undefined {
    const change = this.of(axis);
    if (!change.mask) return undefined;
    let kept = this.indices.get(change);
    if (!kept) this.indices.set(change, (kept = indicesOf(change.mask, change.after)));
    return kept;
  }

  private project(axis: Axis): AxisChange {
    const { size } = axis;
    if (!isTouched(this.system, axis, this.masks)) return { before: size, after: size, mask: undefined };
    const mask = keepMask(this.system, axis, this.masks);
    let after = 0;
    for (const bit of mask) after += bit;
    return { before: size, after, mask: after === size ? undefined : mask };
  }
}

const known = new WeakMap<KeptMasks, WeakMap<AxisSystem, Projection>>();

/** What masks do to the axes of a system: one projection serves whoever asks. */
export function projectionOf(system: AxisSystem, masks: KeptMasks): Projection {
  let bySystem = known.get(masks);
  if (!bySystem) known.set(masks, (bySystem = new WeakMap()));
  let projection = bySystem.get(system);
  if (!projection) bySystem.set(system, (projection = new Projection(system, masks)));
  return projection;
}

/** Static dims; an entry is undefined where it depends on data. */
export type Dims = readonly (number | undefined)[];

/** Static dims of values, under one choice of the symbolic dims; undefined for an unknown rank. */
export type ShapeOf = (value: string) => Dims | undefined;

/**
 * Shapes of the pruned model's values. The analysis may have been made at another size of the symbolic dims than
 * `dense`: an axis that holds such a dim grows in proportion.
 */
export function predictShapes(analysis: AxisCoupling, projection: Projection, dense: ShapeOf): ShapeOf {
  return (value) => {
    const dims = dense(value);
    const axes = analysis.axes.get(value);
    if (!dims || !axes || axes.length !== dims.length) return dims;
    return dims.map((dim, i) => (dim === undefined ? undefined : scaled(projection.of(axes[i]!), dim)));
  };
}

/** Pruned size of an axis whose dense size is `size` now. */
export function scaled({ before, after, mask }: AxisChange, size: number): number {
  return mask ? (after * size) / before : size;
}

/** A change at another size of a symbolic dim inside the axis, which is taken to be its outermost factor. */
export function atSize(change: AxisChange, size: number | undefined): AxisChange {
  const { before, mask } = change;
  if (size === undefined || size === before) return change;
  if (!mask) return { before: size, after: size, mask };
  const tiled = new Uint8Array(size);
  for (let i = 0; i < size; i++) tiled[i] = mask[i % before]!;
  return { before: size, after: scaled(change, size), mask: tiled };
}

export function indicesOf(mask: Uint8Array, count: number): Int32Array {
  const out = new Int32Array(count);
  let k = 0;
  for (let i = 0; i < mask.length; i++) if (mask[i]) out[k++] = i;
  return out;
}
