import { isTouched, keepMask, type KeptMasks } from '../axes/project.js';
import type { AxisCoupling } from '../axes/couple.js';
import type { Model } from '../onnx/model.js';

/** A value inside the dense model that the student has too, with the positions of each axis that it kept. */
export interface InnerValue {
  readonly name: string;
  /** Axis of the channels. */
  readonly axis: number | undefined;
  /** By axis; undefined where all are kept. */
  readonly kept: readonly (Int32Array | undefined)[];
}

/**
 * Values of the dense model that can be compared with the student's: students are slices of it, so its kept channels stand
 * beside the student's (Aflalo et al., "Knapsack Pruning with Inner Distillation", 2020, learn a projection instead).
 * @param names of values, such as the ends of blocks; those that the student has lost are left out
 */
export function innerValues(
  { system, axes }: AxisCoupling,
  masks: KeptMasks,
  names: readonly string[],
  student: Model,
): InnerValue[] {
  const there = new Set(student.graph.nodes.flatMap(({ outputs }) => outputs));
  return names.flatMap((name): InnerValue[] => {
    const own = axes.get(name);
    if (!own || !there.has(name)) return [];
    const kept = own.map((axis) =>
      isTouched(system, axis, masks) ? positions(keepMask(system, axis, masks)) : undefined,
    );
    const axis = kept.findIndex((list) => list !== undefined);
    return [{ name, axis: axis < 0 ? undefined : axis, kept }];
  });
}

function positions(mask: Uint8Array): Int32Array {
  const out: number[] = [];
  mask.forEach((kept, i) => kept && out.push(i));
  return Int32Array.from(out);
}
