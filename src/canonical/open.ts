import { PruneError } from '../errors.js';
import { encodeModel } from '../onnx/codec.js';
import { opsetOf } from '../onnx/domain.js';
import type { Model, Node } from '../onnx/model.js';
import { elementCount } from '../onnx/tensor.js';
import { randomInputs } from '../runtime/inputs.js';
import type { Runtime } from '../runtime/runtime.js';
import { isFeedable } from '../runtime/tensors.js';
import { evaluateConstants } from '../shapes/evaluate.js';
import { inferShapes, type Shapes } from '../shapes/shapes.js';
import { variedShapes } from '../shapes/variation.js';
import { isOpenable, openIf, type OpenIf, type Opening } from '../canonical/branches.js';

export interface OpenContext {
  /** Shapes of the model as it is given. */
  readonly shapes: Shapes;
  readonly runtime: Runtime;
  readonly signal?: AbortSignal | undefined;
}

export interface Opened {
  readonly model: Model;
  /** In the order in which they were opened: what lies inside another If comes after it. */
  readonly ifs: readonly OpenIf[];
}

/** Rounds at most: each opens what the one before brought into the main graph. */
const maxDepth = 16;

/**
 * Opens the Ifs whose branches onnxruntime computes side by side with outputs of equal shapes, at the given sizes and
 * at others of the symbolic dims. What isn't opened stays as it is, and its axes are blocked.
 */
export async function openBranches(given: Model, context: OpenContext): Promise<Opened> {
  const { runtime } = context;
  const rejected = new Set<string>();
  let state: State = {
    model: given,
    ifs: [],
    shapes: context.shapes,
    varied: await variedShapes(given, context.shapes, runtime, context.signal),
  };
  for (let depth = 0; depth < maxDepth; depth++) {
    const candidates = state.model.graph.nodes.filter(
      (node) => isOpenable(node, opsetOf(given)) && !rejected.has(node.outputs[0]!),
    );
    if (candidates.length === 0) break;
    const both = new Map(candidates.map((node): [Node, Opening] => [node, 'both']));
    const next = await attempt(both, state, context);
    if (next) state = next;
    else {
      const settled = await settledBranches(candidates, state, runtime);
      for (const node of candidates) {
        const branch = settled.get(node);
        const alone: State | undefined =
          (candidates.length > 1 ? await attempt(new Map([[node, 'both']]), state, context) : undefined) ??
          (branch && (await attempt(new Map([[node, branch]]), state, context)));
        if (alone) state = alone;
        else rejected.add(node.outputs[0]!);
      }
      // The node that stays where one branch was opened is an If too.
      for (const { opening, helpers } of state.ifs) if (opening !== 'both') rejected.add(helpers[0]!);
    }
  }
  // What can't run would refuse every proof: its branches may fit some inputs only.
  if (state.ifs.length > 0 && !(await runs(state, runtime))) return { model: given, ifs: [] };
  return state;
}

interface State extends Opened {
  readonly shapes: Shapes;
  /** At other sizes of the symbolic dims. */
  readonly varied: Shapes | undefined;
}

/** The branch that is taken, of Ifs whose condition is the same constant at all sizes that were tried. */
async function settledBranches(
  nodes: readonly Node[],
  { model, shapes, varied }: State,
  runtime: Runtime,
): Promise<Map<Node, Opening>> {
  const names = nodes.map(({ inputs }) => inputs[0]!);
  const known = async (at: Shapes) =>
    evaluateConstants(
      model,
      runtime,
      (value) => {
        const shape = at.of(value);
        return shape?.every((dim) => dim !== undefined) ? shape : undefined;
      },
      names,
    );
  const conditions = await known(shapes);
  const others = varied && (await known(varied));
  return new Map(
    nodes.flatMap((node): [Node, Opening][] => {
      const truth = (values: typeof conditions): boolean | undefined => {
        const tensor = values.get(node.inputs[0]!);
        return tensor && elementCount(tensor.dims) === 1 ? tensor.data.bytes()[0] !== 0 : undefined;
      };
      const condition = truth(conditions);
      const isSettled = condition !== undefined && (!others || truth(others) === condition);
      return isSettled ? [[node, condition ? 'then_branch' : 'else_branch']] : [];
    }),
  );
}

/** Opens all of some Ifs; undefined if the result is refused anywhere. */
async function attempt(
  openings: ReadonlyMap<Node, Opening>,
  { model, ifs, shapes, varied }: State,
  { runtime, signal }: OpenContext,
): Promise<State | undefined> {
  let next = model;
  const opened: OpenIf[] = [];
  for (const [node, opening] of openings) {
    const step = openIf(next, node, opening);
    next = step.model;
    opened.push(step.opened);
  }
  const infer = async (at: Shapes): Promise<Shapes | undefined> => {
    try {
      const found = await inferShapes(next, runtime, { shapes: Object.fromEntries(at.inputs), signal });
      const isWhole = found.unknownOps.length <= at.unknownOps.length;
      return isWhole && opened.every((node) => hasEqualShapes(node, found)) ? found : undefined;
    } catch (error) {
      if (!(error instanceof PruneError) || error.code === 'aborted') throw error;
      return undefined;
    }
  };
  const found = await infer(shapes);
  const foundVaried = found && varied && (await infer(varied));
  if (!found || (varied && !foundVaried)) return undefined;
  return { model: next, ifs: [...ifs, ...opened], shapes: found, varied: foundVaried };
}

/** Both branches must give the same shapes: a Where would make them fit where the If doesn't. */
function hasEqualShapes({ opening, branches }: OpenIf, shapes: Shapes): boolean {
  const [t, e] = [...branches.values()].map(({ outputs }) => outputs);
  return (
    opening !== 'both' ||
    t!.every((name, k) => {
      const [a, b] = [shapes.of(name), shapes.of(e![k]!)];
      return a?.length === b?.length && a?.every((dim, i) => dim !== undefined && dim === b![i]) === true;
    })
  );
}

async function runs({ model, shapes }: State, runtime: Runtime): Promise<boolean> {
  const specs = [...shapes.inputs].map(([name, shape]) => ({ name, shape, dtype: shapes.dtypeOf(name) }));
  if (!specs.every(({ dtype }) => isFeedable(dtype))) return true;
  try {
    const session = await runtime.load(encodeModel(model), { optimization: 'basic' });
    try {
      await session.run(randomInputs(runtime, specs as Parameters<typeof randomInputs>[1], 0));
      return true;
    } finally {
      await session.release();
    }
  } catch (error) {
    if (error instanceof PruneError && error.code === 'aborted') throw error;
    return false;
  }
}
