/** Draws mutants of one pruned file, asks the proof of each, and runs those that pass against the file itself. */
import { analyze } from '../../src/analysis/analyze.js';
import { PruneError } from '../../src/errors.js';
import { encodeModel } from '../../src/onnx/codec.js';
import type { Model } from '../../src/onnx/model.js';
import { floatsOf } from '../../src/onnx/values.js';
import { isFloat } from '../../src/onnx/data-type.js';
import { randomGenerator } from '../../src/random/random.js';
import { randomInputs } from '../../src/runtime/inputs.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { fromRuntime, isFeedable } from '../../src/runtime/tensors.js';
import type { Shapes } from '../../src/shapes/shapes.js';
import { usedNames } from '../../src/shapes/literals.js';
import { trialShapes } from '../../src/verify/trial-sizes.js';
import { pruneAtRandom } from '../oracles/pruned.js';
import { drawMutant, mutations, redrawn } from './file-mutants.js';

export interface MutantResult {
  readonly kind: string;
  readonly what: string;
  /** What the proof said; undefined where it passed. */
  readonly problem: string | undefined;
  /** Of one that passed: how far its outputs were from the file's at most, relative to their size. */
  readonly difference?: number;
  /** Of one that passed: why it makes no difference. */
  readonly reason?: string;
}

/** Beyond this, relative to the largest value of an output, two files compute different things. */
export const tolerance = 1e-4;

/** Inputs that a mutant that passed is run on, at each of the sizes. */
const inputs = 20;

export async function* huntFileMutants(
  dense: Model,
  runtime: Runtime,
  perKind: number,
  seed: number,
): AsyncIterable<MutantResult> {
  const { pruned, prove } = await pruneAtRandom(dense, runtime, { ratio: 0.5, seed });
  const { shapes } = await analyze(pruned, { runtime });
  const subject = {
    model: pruned,
    shapeOf: (value: string) => shapes.of(value),
    dtypeOf: (value: string) => shapes.dtypeOf(value),
  };
  const trials = [shapes, ...(await trialShapes(pruned, shapes, runtime))].slice(0, 3);
  for (const kind of Object.keys(mutations)) {
    const random = randomGenerator(`${seed}:${kind}`);
    for (let i = 0; i < perKind; i++) {
      const mutant = drawMutant(kind, subject, random);
      if (!mutant) break;
      const problem = await problemOf(() => prove({ pruned: mutant.model }));
      const { what } = mutant;
      if (problem !== undefined) yield { kind, what, problem };
      else {
        const difference = await differenceOf(pruned, mutant.model, trials, runtime);
        const reason = isUnread(pruned, mutant.model) ? 'nothing that is left reads it' : reasonOf(what);
        yield { kind, what, problem, difference, reason };
      }
    }
  }
}

/** Whether two models are the same but for nodes that no output depends on. */
function isUnread(a: Model, b: Model): boolean {
  const [x, y] = [encodeModel(readPart(a)), encodeModel(readPart(b))];
  return x.length === y.length && x.every((byte, i) => byte === y[i]);
}

function readPart(model: Model): Model {
  const { graph } = model;
  const read = new Set(graph.outputs.map(({ name }) => name));
  const nodes = graph.nodes.toReversed().filter((node) => {
    const isRead = node.outputs.some((name) => read.has(name));
    if (isRead) for (const name of usedNames(node)) read.add(name);
    return isRead;
  });
  const initializers = graph.initializers.filter(({ name }) => read.has(name));
  return { ...model, graph: { ...graph, nodes: nodes.toReversed(), initializers } };
}

/** What makes no difference, by the attribute that was changed. */
const harmless: readonly (readonly [RegExp, string])[] = [
  [/^(strides|dilations) /, 'on maps of one position, or kernels of one, it moves nothing'],
  [/^ceil_mode /, 'the windows cover the map without rest'],
  [/^trans[AB] /, 'every number but 0 means the same'],
  [/of input 1 of Reshape /, 'the target then copies or infers the size that stood there'],
  [/of input 1 of Unsqueeze /, 'the axis of a single number is the same from either end'],
  [/of input 0 of Equal /, 'neither number occurs in what it is compared with'],
  [/^target of /, 'the model runs at one size only'],
  [/^replaced by its absolute/, 'it is never negative'],
  [/^allowzero /, 'no size of the target is 0'],
  [/^epsilon /, 'it is far below the variances that it is added to'],
  [/^(momentum|count_include_pad|storage_order) /, 'inference does not read it here'],
];

function reasonOf(what: string): string {
  return harmless.find(([pattern]) => pattern.test(what))?.[1] ?? 'the outputs are the same';
}

async function problemOf(
  prove: () => Promise<{ readonly failure: { readonly message: string } | undefined }>,
): Promise<string | undefined> {
  try {
    return (await prove()).failure?.message;
  } catch (error) {
    if (error instanceof PruneError) return error.message;
    throw error;
  }
}

/** The largest difference of any output, on all inputs and sizes, with the weights of the file and with others. */
async function differenceOf(
  file: Model,
  mutant: Model,
  sizes: readonly Shapes[],
  runtime: Runtime,
): Promise<number> {
  const draw = (name: string) => randomGenerator(`redrawn:${name}`);
  let worst = 0;
  for (const change of [(model: Model) => model, (model: Model) => redrawn(model, draw)])
    for (const shapes of sizes)
      worst = Math.max(worst, await apart(change(file), change(mutant), shapes, runtime));
  return worst;
}

async function apart(a: Model, b: Model, shapes: Shapes, runtime: Runtime): Promise<number> {
  const options = { optimization: 'disabled', threads: 1 } as const;
  const sessions = [await runtime.load(encodeModel(a), options), await runtime.load(encodeModel(b), options)] as const; // prettier-ignore
  try {
    const specs = [...shapes.inputs].flatMap(([name, shape]) => {
      const dtype = shapes.dtypeOf(name);
      return isFeedable(dtype) ? [{ name, dtype, shape }] : [];
    });
    let worst = 0;
    for (let seed = 0; seed < inputs; seed++) {
      const feeds = randomInputs(runtime, specs, `mutants:${seed}`);
      const [x, y] = [await sessions[0].run(feeds), await sessions[1].run(feeds)];
      for (const name of sessions[0].outputNames) {
        const [p, q] = [fromRuntime(name, x[name]!), fromRuntime(name, y[name]!)];
        if (!isFloat(p.dtype)) {
          if (p.data.bytes().some((byte, i) => byte !== q.data.bytes()[i])) return Infinity;
          continue;
        }
        const [u, v] = [floatsOf(p), floatsOf(q)];
        let scale = 1e-6;
        for (const value of u) scale = Math.max(scale, Math.abs(value));
        for (let i = 0; i < u.length; i++) worst = Math.max(worst, Math.abs(u[i]! - v[i]!) / scale);
      }
    }
    return worst;
  } catch (error) {
    // The mutant doesn't run where the file does.
    if (error instanceof PruneError) return Infinity;
    throw error;
  } finally {
    await Promise.all(sessions.map((session) => session.release()));
  }
}
