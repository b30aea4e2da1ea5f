/** Rules that are wrong in one place: an axis, an offset, a role. Whatever checks rules must tell each from the real one. */
import fc from 'fast-check';
import type { Relation } from '../../src/axes/relation.js';
import type { AxisRule, OpContext } from '../../src/axes/rule.js';
import { axisRules } from '../../src/axes/rules/index.js';
import { withAttribute } from '../../src/onnx/attributes.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { recipesWith } from '../oracles/random-graph/index.js';
import { checkGraph } from './check-graph.js';

export interface Mutant {
  readonly op: string;
  readonly what: string;
  readonly kind: 'axis' | 'offset' | 'role';
  readonly rule: AxisRule;
}

function relationOf(op: string, context: OpContext): Relation {
  const rule = axisRules.get(op)!;
  const result = typeof rule === 'function' ? rule(context) : rule;
  return typeof result === 'string' ? { notation: result } : result;
}

const changed =
  (op: string, change: (relation: Relation, context: OpContext) => Relation): AxisRule =>
  (context) =>
    change(relationOf(op, context), context);

function mutant(
  kind: Mutant['kind'],
  op: string,
  what: string,
  change: (relation: Relation, context: OpContext) => Relation,
): Mutant {
  return { op, kind, what, rule: changed(op, change) };
}

/** Another notation, one text for another. */
const notation = (kind: Mutant['kind'], op: string, from: string | RegExp, to: string): Mutant =>
  mutant(kind, op, `${String(from)} becomes ${to}`, (relation) => ({
    ...relation,
    notation: relation.notation.replace(from, to),
  }));

const freed = (op: string): Mutant =>
  mutant('role', op, 'what is blocked is free', (relation) => ({
    ...relation,
    notation: relation.notation.replaceAll('#', ''),
  }));

/** The order of the pieces of the concatenated axis. */
const reversedPieces = (op: string): Mutant =>
  mutant('offset', op, 'the pieces of the joined axis are reversed', (relation) => ({
    ...relation,
    notation: relation.notation.replace(
      /\(p0[^)]*\)/,
      (pieces) => `(${pieces.slice(1, -1).split(' + ').reverse().join(' + ')})`,
    ),
  }));

const swappedBounds = (op: string): Mutant =>
  mutant('offset', op, 'what lies before and behind is swapped', (relation) => ({
    ...relation,
    notation: relation.notation
      .replace(/before/g, 'behind')
      .replace(/after/g, 'before')
      .replace(/behind/g, 'after'),
  }));

const without = (op: string, key: 'contraction' | 'normalize' | 'sums'): Mutant =>
  mutant('role', op, `no ${key}`, (relation) => {
    const { [key]: _, ...rest } = relation;
    return rest;
  });

/** The outermost factor of each product becomes the innermost. */
const turned = (op: string): Mutant =>
  mutant('axis', op, 'products are nested the other way round', (relation) => ({
    ...relation,
    notation: relation.notation.replace(
      /\(([^()+]+)\)/g,
      (_, terms: string) => `(${terms.trim().split(/\s+/).reverse().join(' ')})`,
    ),
  }));

export const mutants: readonly Mutant[] = [
  notation('axis', 'Conv', '(g ci)', '(ci g)'),
  notation('axis', 'Conv', /\(g co\) #…$/, '(co g) #…'),
  notation('axis', 'Conv', ', (g co) ->', ', #bias ->'),
  without('Conv', 'contraction'),
  notation('axis', 'ConvTranspose', /\(g co\) #…$/, '(co g) #…'),
  mutant('axis', 'Gemm', 'the weight is transposed', (relation) => ({
    ...relation,
    notation: relation.notation.replace(/, (\w) (\w)/, ', $2 $1'),
  })),
  mutant('axis', 'Gemm', 'the bias stays', (relation, op) => ({
    ...relation,
    notation: op.has(2) ? relation.notation.replace(/, [^,]*->/, ', _ ->') : relation.notation,
  })),
  without('MatMul', 'contraction'),
  notation('axis', 'MatMul', ', … k j', ', … j k'),
  notation('axis', 'BatchNormalization', 'c, c, c, c', 'c, c, d, c'),
  reversedPieces('Concat'),
  reversedPieces('Split'),
  swappedBounds('Slice'),
  swappedBounds('Pad'),
  mutant('axis', 'Transpose', 'the last two axes are swapped', (relation) => ({
    ...relation,
    notation: relation.notation.replace(/(\w+) (\w+)$/, '$2 $1'),
  })),
  turned('Reshape'),
  turned('Flatten'),
  turned('Tile'),
  turned('SpaceToDepth'),
  {
    op: 'DepthToSpace',
    kind: 'axis',
    what: 'the modes are swapped',
    rule: (context) => {
      const mode = context.node.attributes.get('mode');
      const text = mode?.type === 'string' ? new TextDecoder().decode(mode.value) : 'DCR';
      const value = new TextEncoder().encode(text === 'DCR' ? 'CRD' : 'DCR');
      const node = withAttribute(context.node, 'mode', { type: 'string', value });
      return relationOf('DepthToSpace', { ...context, node });
    },
  },
  freed('Softmax'),
  freed('LpNormalization'),
  freed('LRN'),
  freed('CumSum'),
  freed('TopK'),
  freed('ArgMax'),
  freed('GatherElements'),
  freed('ReduceLogSumExp'),
  turned('GroupNormalization'),
  notation('axis', 'InstanceNormalization', ', b, b', ', b, #c'),
  notation('axis', 'LayerNormalization', /^([^,]*), [^,]*?(,| ->)/, '$1, _$2'),
  without('LayerNormalization', 'normalize'),
  without('ReduceSum', 'sums'),
  mutant('role', 'ReduceMean', 'summed, not averaged', ({ normalize, ...relation }) => ({
    ...relation,
    ...(normalize && { sums: normalize }),
  })),
  turned('LSTM'),
  turned('GRU'),
  notation('axis', 'RNN', '(1 h) h,', '(1 h) #k,'),
  notation('axis', 'PRelu', '…, …', '…, _'),
  notation('axis', 'Add', '…, …', '…, _'),
  notation('axis', 'Mul', '…, …', '…, _'),
];

export interface MutantOutcome {
  /** Graphs until it was told from the real rule; undefined if it was not. */
  readonly graphs: number | undefined;
  /** What gave it away. */
  readonly problem: string | undefined;
}

/** Checks graphs with the op until one fails under the mutant and not under the real rule. */
export async function huntMutant(
  { op, rule }: Mutant,
  limit: number,
  runtime: Runtime,
): Promise<MutantOutcome> {
  const rules = { [op]: rule };
  let graphs = 0;
  for (const recipe of fc.sample(recipesWith(op), { seed: 1, numRuns: limit })) {
    graphs++;
    const problem = await problemOf(() => checkGraph(recipe, { runtime, rules }));
    if (problem && !(await problemOf(() => checkGraph(recipe, { runtime })))) return { graphs, problem };
  }
  return { graphs: undefined, problem: undefined };
}

async function problemOf(check: () => ReturnType<typeof checkGraph>): Promise<string | undefined> {
  try {
    return (await check()).problem;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
