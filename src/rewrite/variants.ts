import type { ConstantSource } from '../onnx/constants.js';
import type { Model } from '../onnx/model.js';
import type { Tensor } from '../onnx/tensor.js';
import { evaluateConstants } from '../shapes/evaluate.js';
import { isEntryReached, reachOf, type Reach } from '../shapes/reach.js';
import type { Variation } from '../shapes/variation.js';
import type { Variant } from './changes.js';
import { numbersOf } from './patch.js';
import type { ShapeOf } from './projection.js';
import type { RewriteInput } from './rewrite.js';

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
  { runtime, shapeOf, variation: open }: RewriteInput,
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
  const variation = names.size > 0 ? await open?.() : undefined;
  if (!variation) return { variants, reach: () => false };
  const reach = reachOf(model, (value) => variation.open.of(value));
  const hasMoved = (name: string): boolean => {
    const [first, ...others] = variants.flatMap(({ constantOf }) => {
      const tensor = constantOf(name);
      return tensor ? [numbersOf(tensor)] : [];
    });
    const own = reach(name);
    return (first ?? []).every((x, i) => !isEntryReached(own, i) || others.some((other) => other[i] !== x));
  };
  while (variants.length <= fewest || ![...names].every(hasMoved)) {
    const shapes = await variation.next();
    if (!shapes) break;
    variants.push(await variantAt((value) => shapes.of(value)));
  }
  return { variants, reach };
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
