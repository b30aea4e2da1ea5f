/** One run of the fuzzer: build, analyse, remove at random, rewrite, compare. */
import { analyze } from '../../src/analysis/analyze.js';
import type { Axis } from '../../src/axes/axis.js';
import type { AxisCoupling } from '../../src/axes/couple.js';
import { isTouched, type KeptMasks } from '../../src/axes/project.js';
import type { AxisRule } from '../../src/axes/rule.js';
import { PruneError } from '../../src/errors.js';
import type { Grouping, PruningGroup } from '../../src/groups/group.js';
import { decodeModel, encodeModel } from '../../src/onnx/codec.js';
import type { Node } from '../../src/onnx/model.js';
import { keptMasks } from '../../src/plan/plan.js';
import { randomGenerator, type RandomGenerator } from '../../src/random/random.js';
import { rewriteModel } from '../../src/rewrite/rewrite.js';
import { variationOf } from '../../src/shapes/variation.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { keepAxes } from '../../src/select/positions.js';
import type { Shapes } from '../../src/shapes/shapes.js';
import { verify } from '../../src/verify/verify.js';
import { compareWithZeroed } from '../oracles/random-graph-oracle.js';
import { buildGraph, type RandomGraph, type Recipe } from '../oracles/random-graph/index.js';

export interface FuzzOutcome {
  /** Ops of the graph. */
  readonly ops: ReadonlySet<string>;
  /** Ops with a node that read or wrote something that lost channels. */
  readonly touched: ReadonlySet<string>;
  readonly nodes: number;
  /** Groups that lost channels; 0 where nothing is prunable. */
  readonly pruned: number;
  /** Float values compared by the oracle. */
  readonly compared: number;
  /** What `verify` said: passed, or why it can't tell. `nothing`: an output is zero whatever the weights and inputs. */
  readonly proof: 'passed' | 'unsupported' | 'nothing' | 'none';
  readonly problem: string | undefined;
}

export interface FuzzOptions {
  readonly runtime: Runtime;
  /** Rules that replace the built-in ones: mutants. */
  readonly rules?: Readonly<Record<string, AxisRule>>;
  /** Whether `verify` is asked too. Default true. */
  readonly proof?: boolean;
}

/** @throws whatever the engine throws: a crash is a finding. */
export async function checkGraph(recipe: Recipe, options: FuzzOptions): Promise<FuzzOutcome> {
  const { rules, proof = true } = options;
  const runtime = singleThreaded(options.runtime);
  const built = buildGraph(recipe);
  const dense = decodeModel(encodeModel(built.model));
  const ops = new Set(dense.graph.nodes.map(ruleName));
  const base = {
    ops,
    touched: new Set<string>(),
    nodes: dense.graph.nodes.length,
    pruned: 0,
    compared: 0,
    proof: 'none' as const,
  };

  const random = randomGenerator(recipe.removal);
  const allowIo = random() < 0.2 ? ['input*:1', 'input*:2'] : undefined;
  const found = await analyze(dense, {
    runtime,
    ...(rules && { axisRules: rules }),
    ...(allowIo && { allowIo }),
  });
  const { shapes, axes: analysis, grouping } = found;
  const misshapen = shapeProblem(built, shapes);
  if (misshapen) return { ...base, problem: misshapen };
  const masks = randomMasks(grouping, random);
  if (masks.size === 0) return { ...base, problem: undefined };

  const result = await rewriteModel({
    analysis,
    masks,
    shapeOf: (value) => shapes.of(value),
    variation: () => variationOf(found.model, shapes, runtime),
    runtime,
  });
  const pruned = decodeModel(encodeModel(found.canonical.restore(result.model)));
  const { compared, problem } = await compareWithZeroed({ analysis, masks, pruned, shapes, runtime });
  const outcome = { ...base, touched: touchedOps(analysis, masks), pruned: masks.size, compared };
  if (problem || !proof) return { ...outcome, problem };
  try {
    const report = await verify({
      analysis,
      masks,
      dense: found.model,
      pruned,
      shapes,
      runtime,
      level: 'full',
      seed: 1,
    });
    if (report.failure?.kind === 'nothing') return { ...outcome, proof: 'nothing', problem: undefined };
    const failed = report.passed ? undefined : `verify: ${report.failure?.message}`;
    return { ...outcome, proof: 'passed', problem: failed };
  } catch (error) {
    if (error instanceof PruneError && error.code === 'unsupported')
      return { ...outcome, proof: 'unsupported', problem: undefined };
    throw error;
  }
}

/** As tables of rules call an op. */
const ruleName = ({ domain, opType }: Node): string => (domain ? `${domain}::${opType}` : opType);

/** Pools of threads cost more than graphs of this size. */
export function singleThreaded(runtime: Runtime): Runtime {
  const { name, version } = runtime;
  return {
    name,
    version,
    load: (model, options) => runtime.load(model, { ...options, threads: 1 }),
    tensor: (...args) => runtime.tensor(...args),
    profile: (...args) => runtime.profile(...args),
  };
}

/** The engine's shapes against those that the graph was built with. */
function shapeProblem({ dims }: RandomGraph, shapes: Shapes): string | undefined {
  for (const [name, want] of dims) {
    const got = shapes.of(name);
    const isSame = (dim: number | undefined, i: number): boolean =>
      dim === undefined || Number.isNaN(want[i]) || dim === want[i];
    const same = got?.length === want.length && got.every(isSame);
    if (got && !same) return `'${name}' was inferred as [${got.join()}] instead of [${want.join()}]`;
  }
  return undefined;
}

export function touchedOps({ system, axes, parameters, model }: AxisCoupling, masks: KeptMasks): Set<string> {
  const touched = new Set<string>();
  const loses = (list: readonly Axis[] | undefined): boolean =>
    list?.some((axis) => isTouched(system, axis, masks)) ?? false;
  const { nodes } = model.graph;
  for (const use of parameters) if (loses(use.axes)) touched.add(ruleName(nodes[use.node]!));
  for (const node of nodes)
    if ([...node.inputs, ...node.outputs].some((name) => loses(axes.get(name)))) touched.add(ruleName(node));
  return touched;
}

/** Each group with some probability loses each channel with some probability; always at least one group. */
export function randomMasks(grouping: Grouping, random: RandomGenerator): KeptMasks {
  const { groups } = grouping;
  const plan = new Map<PruningGroup, Int32Array>();
  const always = Math.floor(random() * groups.length);
  groups.forEach((group, i) => {
    if (i !== always && random() < 0.25) return;
    const { size, pinned: stuck } = group;
    const share = 0.2 + 0.6 * random();
    const mask = Uint8Array.from({ length: size }, () => (random() < share ? 0 : 1));
    const [one, other] = [Math.floor(random() * size), Math.floor(random() * (size - 1))];
    mask[one] = 1;
    if (!mask.includes(0)) mask[(one + 1 + other) % size] = 0;
    stuck?.forEach((bit, channel) => bit && (mask[channel] = 1));
    if (mask.includes(0)) plan.set(group, Int32Array.from(mask.keys()).filter((channel) => mask[channel])); // prettier-ignore
  });
  // A permutation may gather channels on an axis that would be left with none.
  keepAxes(grouping, plan, new Map());
  return keptMasks({ kept: plan });
}
