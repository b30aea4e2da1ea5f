import type { AxisCoupling } from '../axes/couple.js';
import type { Model } from '../onnx/model.js';
import { sliceTensor } from '../onnx/slice.js';
import type { Tensor } from '../onnx/tensor.js';
import type { Projection } from '../plan/projection.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Shapes } from '../shapes/shapes.js';
import { inputChange, moveInputs, moveRounded } from './conditioning.js';
import { difference, differencesAlong, type Difference, type Kept } from './difference.js';
import { withExactProducts } from './exact-products.js';
import type { Disagreement } from './judge.js';
import { computedName, pinsIn, withPins, type Pins } from './pins.js';
import { openSession, runSession } from './run.js';

/** Random directions in which a value is moved: one may happen to cross none of the steps of a quantizer behind it. */
const maxMoves = 4;

export interface Explained {
  /** The masked original, or a cut of it. */
  readonly masked: Model;
  readonly pins: Pins;
  /** Inputs and pinned values of the run. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly names: readonly string[];
  readonly analysis: AxisCoupling;
  readonly projection: Projection;
  readonly shapes: Shapes;
  readonly seed: number | string;
  readonly runtime: Runtime;
}

/**
 * Tells why roundings alone may make a tensor differ as it does: the original moves at least as far, in one of a few
 * random directions, when its inputs and what it rounds move by a few roundings. Undefined where they don't explain it.
 */
export function explain(
  given: Explained,
): (name: string, found: Disagreement, expected: Tensor, kept: Kept) => Promise<string | undefined> {
  const moves: Promise<ReadonlyMap<string, Tensor>>[] = [];
  return async (name, { max, channels }, expected, kept) => {
    if (Number.isNaN(max)) return undefined;
    let share = 0;
    const reached = new Map<number, number>();
    for (let turn = 0; turn < maxMoves && share < 1; turn++) {
      const moved = (await (moves[turn] ??= runMoved(given, turn))).get(name)!;
      const movement = difference(sliceTensor(moved, kept), expected, kept);
      if (movement) share = Math.max(share, channels ? shareOf(movement, channels, reached) : movement.max / max); // prettier-ignore
    }
    return share >= 1
      ? `it is ill-conditioned: a change of ${inputChange} moves it ${share.toPrecision(1)} times as far as it differs`
      : undefined;
  };
}

/** The smallest share that any of the channels moved of its difference, over all movements so far. */
function shareOf(
  movement: Difference,
  { axis, differences }: NonNullable<Disagreement['channels']>,
  reached: Map<number, number>,
): number {
  const own = differencesAlong(movement, axis);
  let least = Infinity;
  for (const [channel, delta] of differences) {
    const share = Math.max(own[channel]! / delta, reached.get(channel) ?? 0);
    reached.set(channel, share);
    least = Math.min(least, share);
  }
  return least;
}

/** What the original computes when everything moves by a few roundings, but for what decisions are taken from. */
async function runMoved(given: Explained, turn: number): Promise<ReadonlyMap<string, Tensor>> {
  const { masked, pins, tensors, names, shapes, runtime } = given;
  const seed = turn === 0 ? given.seed : `${given.seed}:${turn}`;
  const isFloat32 = (value: string): boolean => shapes.dtypeOf(value) === 'float32';
  const pinned = new Set(pinsIn(masked, pins));
  const nameIn = (name: string): string => (pinned.has(name) && pins.pinned.has(name) ? computedName(name) : name); // prettier-ignore
  const moved = withPins(moveRounded(masked, { isFloat32, normalized: behindStatistics(given), seed }), pins);
  const exact = withExactProducts(moved, (value) => shapes.dtypeOf(value));
  const session = await openSession(exact, names.map(nameIn), runtime);
  try {
    const inputs = new Map([...tensors].filter(([name]) => !pinned.has(name)));
    const fixed = [...tensors].filter(([name]) => pinned.has(name));
    const values = await runSession(session, new Map([...moveInputs(inputs, seed), ...fixed]), runtime);
    return new Map(names.map((name) => [name, values.get(nameIn(name))!]));
  } finally {
    await session.release();
  }
}

/** What nodes write that take statistics over pruned channels, with the size of the last axis. */
function behindStatistics({ analysis, projection, shapes }: Explained): Map<string, number> {
  const found = new Map<string, number>();
  for (const { role, node, expression } of analysis.roles) {
    if (role !== 'normalize' || !projection.isTouched([expression])) continue;
    const value = analysis.model.graph.nodes[node]!.outputs[0]!;
    const size = shapes.of(value)?.at(-1);
    if (size !== undefined) found.set(value, size);
  }
  return found;
}
