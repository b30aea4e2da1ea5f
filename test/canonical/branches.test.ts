import { describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze.js';
import { blockedBy } from '../../src/cost/coverage.js';
import { graphAttributes, withAttribute } from '../../src/onnx/attributes.js';
import type { Graph, Model } from '../../src/onnx/model.js';
import { floatTensor, integerTensor, rawTensor } from '../../src/onnx/values.js';
import { fillNormal, randomGenerator } from '../../src/random/random.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import { pruneAtRandom } from '../oracles/pruned.js';
import { graph, model, node, value } from '../shapes/build-model.js';

const runtime = await nodeRuntime();

function weight(name: string, ...dims: number[]) {
  const count = dims.reduce((a, b) => a * b);
  return floatTensor(name, fillNormal(new Float32Array(count), randomGenerator(name)), dims);
}

/** A two-layer branch whose first weight is its own and whose second is captured. */
const branch = (tag: string, act: string): Graph =>
  graph({
    nodes: [
      node('MatMul', ['h', `${tag}1`], ['m'], {}, `${tag}/first`),
      node(act, ['m'], ['a']),
      node('MatMul', ['a', `${tag}2`], [`${tag}y`], {}, `${tag}/second`),
    ],
    initializers: [weight(`${tag}1`, 8, 12)],
    outputs: [value(`${tag}y`, ['n', 10])],
  });

/** x -> h (8) -> one of two branches of 12 channels each -> 10 channels -> y. */
const chosen = (then: Graph, other: Graph, more: Partial<Graph> = {}): Model =>
  model({
    inputs: [value('x', ['n', 6]), value('c', [], 'bool')],
    outputs: [value('y', ['n', 4])],
    initializers: [weight('w', 6, 8), weight('v', 10, 4), weight('t2', 12, 10), weight('e2', 12, 10)],
    nodes: [
      node('MatMul', ['x', 'w'], ['h'], {}, 'in'),
      node('If', ['c'], ['z'], { then_branch: then, else_branch: other }, 'choice'),
      node('MatMul', ['z', 'v'], ['y'], {}, 'out'),
    ],
    ...more,
  });

const conditions = [0, 1].map((c) => ({
  x: weight(`x${c}`, 3, 6),
  c: rawTensor('c', 'bool', [], Uint8Array.of(c)),
}));

const bodiesOf = (pruned: Model): Graph[] =>
  pruned.graph.nodes.filter(({ opType }) => opType === 'If').flatMap((If) => graphAttributes(If).map((body) => body.graph)); // prettier-ignore

const sizesOf = (body: Graph): Record<string, readonly number[]> =>
  Object.fromEntries(body.initializers.map(({ name, dims }) => [name, dims]));

describe('an If whose branches give equal shapes', () => {
  const dense = chosen(branch('t', 'Relu'), branch('e', 'Tanh'));

  it('is pruned inside, at its interface and around it, and proved with either condition', async () => {
    const { grouping, pruned, prove } = await pruneAtRandom(dense, runtime);
    expect(grouping.groups.map(({ size }) => size).sort((a, b) => a - b)).toEqual([8, 10, 12, 12]);
    const report = await prove({ feeds: conditions });
    expect(report.failure).toBeUndefined();
    expect(report.passed).toBe(true);
    expect(pruned.graph.nodes.map(({ opType }) => opType)).toEqual(['MatMul', 'If', 'MatMul']);
    expect(bodiesOf(pruned).map(sizesOf)).toEqual([{ t1: [4, 6] }, { e1: [4, 6] }]);
    expect(sizesOf(pruned.graph)).toMatchObject({ w: [6, 4], v: [5, 4], t2: [6, 5], e2: [6, 5] });
    expect(bodiesOf(pruned)[1]!.outputs[0]!.type).toMatchObject({ shape: [{ value: 'n' }, { value: 5 }] });
  });

  it.each(['t1', 'e1'])('is refused when %s in its body is changed', async (name) => {
    const { pruned, prove } = await pruneAtRandom(dense, runtime);
    const spoil = (body: Graph): Graph => ({
      ...body,
      initializers: body.initializers.map((tensor) =>
        tensor.name === name ? { ...weight('other', ...tensor.dims), name } : tensor,
      ),
    });
    const nodes = pruned.graph.nodes.map((given) => {
      if (given.opType !== 'If') return given;
      return graphAttributes(given).reduce(
        (If, { attribute, graph: body }) =>
          withAttribute(If, attribute, { type: 'graph', value: spoil(body) }),
        given,
      );
    });
    const wrong = { ...pruned, graph: { ...pruned.graph, nodes } };
    const { folded } = (await pruneAtRandom(dense, runtime)).proof;
    const report = await prove({ folded: { ...folded!, pruned: wrong }, feeds: conditions });
    expect(report).toMatchObject({ passed: false, failure: { kind: 'value', value: 'y' } });
  });

  it('comes back as it was where nothing is removed', async () => {
    const { canonical } = await analyze(dense, { runtime });
    expect(canonical.hasBodies).toBe(true);
    const back = canonical.restore(canonical.model);
    expect(back.graph.nodes.map((n) => n.outputs)).toEqual(dense.graph.nodes.map((n) => n.outputs));
    expect(back.graph.initializers).toEqual(dense.graph.initializers);
    expect(canonical.canonicalize(back).graph.nodes.flatMap((n) => n.outputs)).toEqual(
      canonical.model.graph.nodes.flatMap((n) => n.outputs),
    );
  });
});

it('an If inside a branch is opened too', async () => {
  const inner = graph({
    nodes: [
      node('If', ['d'], ['ey'], { then_branch: branch('t', 'Relu'), else_branch: branch('e', 'Tanh') }),
    ],
    outputs: [value('ey')],
  });
  const renamed = {
    ...inner,
    nodes: inner.nodes.map((n) => ({ ...n, outputs: ['picked'] })),
    outputs: [value('picked')],
  };
  const dense = chosen(branch('s', 'Sigmoid'), renamed, {
    inputs: [value('x', ['n', 6]), value('c', [], 'bool'), value('d', [1], 'bool')],
    initializers: [
      ...[weight('w', 6, 8), weight('v', 10, 4)],
      ...[weight('s2', 12, 10), weight('t2', 12, 10), weight('e2', 12, 10)],
    ],
  });
  const { grouping, pruned, prove } = await pruneAtRandom(dense, runtime);
  expect(grouping.groups.map(({ size }) => size).sort((a, b) => a - b)).toEqual([8, 10, 12, 12, 12]);
  const feeds = conditions.flatMap((feed) =>
    [0, 1].map((d) => ({ ...feed, d: rawTensor('d', 'bool', [1], Uint8Array.of(d)) })),
  );
  expect((await prove({ feeds })).failure).toBeUndefined();
  expect(pruned.graph.nodes.map(({ opType }) => opType)).toEqual(['MatMul', 'If', 'MatMul']);
  expect(bodiesOf(pruned)[1]!.nodes.map(({ opType }) => opType)).toEqual(['If']);
});

it('of an If whose branch depends on a size only the branch that is taken is pruned', async () => {
  const dead = graph({
    nodes: [
      node('ReduceMax', ['h'], ['most'], { axes: [0], keepdims: 0 }),
      node('MatMul', ['most', 'd'], ['dy']),
    ],
    outputs: [value('dy')],
  });
  const live = graph({
    nodes: [
      node('MatMul', ['h', 't1'], ['m']),
      node('Relu', ['m'], ['a']),
      node('MatMul', ['a', 't2'], ['ty']),
    ],
    initializers: [weight('t1', 8, 12)],
    outputs: [value('ty')],
  });
  const dense = model({
    inputs: [value('x', [2, 3, 6])],
    outputs: [value('y')],
    initializers: [weight('w', 6, 8), weight('v', 10, 4), weight('t2', 12, 10), weight('d', 8, 10), integerTensor('one', [1])], // prettier-ignore
    nodes: [
      node('MatMul', ['x', 'w'], ['h']),
      node('Shape', ['x'], ['sizes'], { start: 0, end: 1 }),
      node('Equal', ['sizes', 'one'], ['single']),
      node('If', ['single'], ['z'], { then_branch: dead, else_branch: live }),
      node('MatMul', ['z', 'v'], ['y']),
    ],
  });
  const { grouping, pruned, prove } = await pruneAtRandom(dense, runtime);
  // The other branch reads 8 channels and gives 10: both stay.
  expect(grouping.groups.map(({ size }) => size)).toEqual([12]);
  expect((await prove()).failure).toBeUndefined();
  const bodies = bodiesOf(pruned);
  expect(bodies.find(({ nodes }) => nodes.some(({ opType }) => opType === 'ReduceMax'))).toEqual(dead);
  expect(bodies.map(sizesOf)).toContainEqual({ t1: [8, 6] });
});

it('an If whose branches give other shapes stays closed, and says so', async () => {
  const wide = graph({
    nodes: [node('Concat', ['h', 'h'], ['wide'], { axis: 0 }), node('MatMul', ['wide', 't2'], ['ty'])],
    outputs: [value('ty')],
  });
  const narrow = graph({ nodes: [node('MatMul', ['h', 'e2'], ['ey'])], outputs: [value('ey')] });
  const dense = chosen(wide, narrow, {
    inputs: [value('x', [3, 6]), value('c', [], 'bool')],
    outputs: [value('y')],
    initializers: [weight('w', 6, 8), weight('v', 10, 4), weight('t2', 8, 10), weight('e2', 8, 10)],
  });
  const { canonical, grouping, cost } = await analyze(dense, { runtime });
  expect(canonical.hasBodies).toBe(false);
  expect(grouping.groups).toEqual([]);
  expect(blockedBy(grouping, cost).map(({ blocker }) => blocker.why)).toContain('it holds a subgraph');
});
