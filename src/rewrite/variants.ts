import type { Factor } from '../axes/axis.js';
import type { AxisCoupling } from '../axes/couple.js';
import type { ConstantSource } from '../ops/constants.js';
import type { Model } from '../onnx/model.js';
import type { Tensor } from '../onnx/tensor.js';
import { evaluateConstants } from '../shapes/evaluate.js';
import { isEntryReached, reachOf, type Reach } from '../shapes/reach.js';
import type { Shapes } from '../shapes/shapes.js';
import type { Variation } from '../shapes/variation.js';
import type { Variant } from './changes.js';
import { numbersOf } from './patch.js';
import type { Dims, ShapeOf } from '../plan/projection.js';
import type { RewriteInput } from './input.js';

/** Other sizes that computed operands are looked at, at least; more where one of them did not move. */
const fewest = 2;

/** The dense model at several sizes of its symbolic dims. */
export interface DenseSizes {
  /** The first is the one that the model is pinned to. */
  readonly variants: readonly Variant[];
  /** Which entries of a computed value symbolic dims may reach. */
  readonly reach: (value: string) => Reach;
}

/**
 * Evaluates the sizes that the dense model computes, at the pinned size and at others: until each entry that a
 * symbolic dim may reach has moved, or there are no more sizes to try.
 * @param names of computed values
 */
export async function denseSizes(
  { analysis, runtime, shapeOf, variation: vary }: RewriteInput,
  model: Model,
  constants: ReadonlyMap<string, ConstantSource>,
  names: ReadonlySet<string>,
): Promise<DenseSizes> {
  const variantAt = async (shapeOf: ShapeOf): Promise<Variant> => {
    const computed =
      names.size > 0 ? await evaluateConstants(model, runtime, shapeOf, names) : new Map<string, Tensor>();
    return { shapeOf, constantOf: (name) => constants.get(name)?.tensor ?? computed.get(name) };
  };
  const variants = [await variantAt(shapeOf)];
  const variation = names.size > 0 ? await vary?.() : undefined;
  if (!variation) return { variants, reach: () => false };
  const moved: Shapes[] = [];
  const move = async (): Promise<boolean> => {
    const shapes = await variation.next();
    if (!shapes) return false;
    moved.push(shapes);
    variants.push(await variantAt((value) => shapes.of(value)));
    return true;
  };
  while (moved.length < fewest && (await move()));
  const reach = reachOf(model, fixedDims(analysis, variation, moved));
  const hasMoved = (name: string): boolean => {
    const [first, ...others] = variants.flatMap(({ constantOf }) => {
      const tensor = constantOf(name);
      return tensor ? [numbersOf(tensor)] : [];
    });
    const own = reach(name);
    return (first ?? []).every((x, i) => !isEntryReached(own, i) || others.some((other) => other[i] !== x));
  };
  while (![...names].every(hasMoved) && (await move()));
  return { variants, reach };
}

/**
 * Dims that hold at every size: those that onnxruntime infers with the symbolic dims open, and those made of factors
 * that weights have too. A factor may hide symbolic dims of size 1 beside it, so the latter must not have moved.
 */
function fixedDims(
  { axes, system, parameters }: AxisCoupling,
  { open }: Variation,
  moved: readonly Shapes[],
): (value: string) => Dims | undefined {
  const origin = (leaf: Factor): Factor => leaf.origin?.factor ?? leaf;
  const ofWeights = new Set(
    parameters.flatMap((use) => use.axes.flatMap((axis) => system.leaves(axis).map(origin))),
  );
  return (value) => {
    const known = open.of(value);
    const own = axes.get(value);
    if (!own || known?.every((dim) => dim !== undefined)) return known;
    return own.map((axis, i) => {
      if (known?.[i] !== undefined) return known[i];
      const leaves = system.leaves(axis);
      const isFixed =
        leaves.length > 0 &&
        leaves.every((leaf) => ofWeights.has(origin(leaf))) &&
        moved.every((shapes) => shapes.of(value)?.[i] === axis.size);
      return isFixed ? axis.size : undefined;
    });
  };
}

/** Dense shapes at some other sizes, for what stands in the file and must hold at all of them. */
export async function otherShapes(variation: Variation | undefined): Promise<readonly ShapeOf[]> {
  const shapes: ShapeOf[] = [];
  while (shapes.length < fewest) {
    const next = await variation?.next();
    if (!next) break;
    shapes.push((value) => next.of(value));
  }
  return shapes;
}
