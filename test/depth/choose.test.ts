import { beforeAll, describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze.js';
import type { Batch, DataSource } from '../../src/data/batch.js';
import { chooseBlocks } from '../../src/depth/choose.js';
import { findBranches, type Branch } from '../../src/depth/branches.js';
import { DepthLoss } from '../../src/depth/loss.js';
import { similarityScores } from '../../src/depth/similarity.js';
import type { Model } from '../../src/onnx/model.js';
import { encodeModel } from '../../src/onnx/codec.js';
import { normal, randomGenerator } from '../../src/random/random.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { length, mlp, model, node, silenced, transformer, value, weight, width } from './network.js';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime();
});

async function prepare(dense: Model) {
  const { cost, shapes, grouping } = await analyze(dense, { runtime });
  const [dtypeOf, shapeOf] = [(name: string) => shapes.dtypeOf(name), (name: string) => shapes.of(name)];
  const { branches } = findBranches({ model: dense, cost, dtypeOf, shapes: [shapeOf] });
  return { grouping, branches, dtypeOf };
}

const classes = 3;

/** Random batches of 3 and 2 examples; the second one is filled up to 3. */
function noise(dims: readonly number[]): DataSource & { readonly batches: readonly Batch[] } {
  const random = randomGenerator('noise');
  const batches = [3, 2].map((valid): Batch => {
    const data = Float32Array.from({ length: 3 * dims.reduce((a, b) => a * b, 1) }, () => normal(random));
    const labels = Int32Array.from({ length: 3 }, () => Math.floor(classes * random()));
    return { inputs: { input: { dtype: 'float32', dims: [3, ...dims], data } }, labels, size: 3, valid };
  });
  return {
    batches,
    description: 'noise',
    count: 5,
    labelled: true,
    // eslint-disable-next-line @typescript-eslint/require-await -- batches are read asynchronously elsewhere
    async *[Symbol.asyncIterator]() {
      yield* batches;
    },
  };
}

/** Values of one batch, as nested rows: one for each example that counts. */
async function rows(dense: Model, name: string, { inputs, size, valid }: Batch): Promise<Float32Array[]> {
  const outputs = [{ name, docString: '', type: undefined }];
  const session = await runtime.load(encodeModel({ ...dense, graph: { ...dense.graph, outputs } }));
  const { dtype, data, dims } = inputs['input']!;
  const found = (await session.run({ input: runtime.tensor(dtype, data, dims) }))[name]!.data as Float32Array;
  await session.release();
  const step = found.length / size;
  return Array.from({ length: valid }, (_, i) => found.slice(i * step, (i + 1) * step));
}

function cosine(x: readonly number[], y: readonly number[]): number {
  const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, v, i) => sum + v * b[i]!, 0);
  return dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y));
}

describe('similarity', () => {
  it('is one minus the mean cosine over channels between what enters and what leaves', async () => {
    const dense = transformer(['mlp', 'mlp', 'mlp']);
    const data = noise([length, 5]);
    const { grouping, branches } = await prepare(dense);
    const blocks = [[branches[0]!], [branches[1]!, branches[2]!]];
    const expected: number[] = [];
    for (const [from, to] of [['x', 's0'], ['s0', 's2']] as const) {
      const cosines: number[] = [];
      for (const batch of data.batches) {
        const [before, after] = [await rows(dense, from, batch), await rows(dense, to, batch)];
        before.forEach((row, i) => {
          for (let t = 0; t < row.length; t += width)
            cosines.push(cosine([...row.slice(t, t + width)], [...after[i]!.slice(t, t + width)]));
        });
      }
      expect(cosines).toHaveLength(5 * length);
      expected.push(1 - cosines.reduce((a, b) => a + b) / cosines.length);
    } // prettier-ignore
    const scores = await similarityScores(grouping, blocks, { runtime, data });
    scores.forEach((score, i) => expect(score).toBeCloseTo(expected[i]!, 5));
  });

  it('knows the channels of a convolution, and takes 1 for what is zero before and after', async () => {
    const dense = model({
      inputs: [value('input', ['n', 2, 3, 3])],
      outputs: [value('y')],
      initializers: [weight('stem', [4, 2, 1, 1]), weight('w1', [6, 4, 1, 1]), weight('w2', [4, 6, 1, 1])],
      nodes: [
        node('Conv', ['input', 'stem'], ['c']),
        node('Relu', ['c'], ['x']),
        node('Conv', ['x', 'w1'], ['h']),
        node('Relu', ['h'], ['r']),
        node('Conv', ['r', 'w2'], ['f']),
        node('Add', ['x', 'f'], ['s']),
        node('GlobalAveragePool', ['s'], ['y']),
      ],
    });
    const data = noise([2, 3, 3]);
    const { grouping, branches } = await prepare(dense);
    const cosines: number[] = [];
    for (const batch of data.batches) {
      const [before, after] = [await rows(dense, 'x', batch), await rows(dense, 's', batch)];
      const pixel = (row: Float32Array, p: number): number[] => [0, 1, 2, 3].map((c) => row[9 * c + p]!);
      before.forEach((row, i) => {
        for (let p = 0; p < 9; p++) {
          const [x, y] = [pixel(row, p), pixel(after[i]!, p)];
          cosines.push([...x, ...y].every((v) => v === 0) ? 1 : cosine(x, y));
        }
      });
    }
    const [score] = await similarityScores(grouping, [branches], { runtime, data });
    expect(score).toBeCloseTo(1 - cosines.reduce((a, b) => a + b) / 45, 5);
  });
});

const softmax = (logits: ArrayLike<number>): number[] => {
  const total = Array.from(logits).reduce((sum, z) => sum + Math.exp(z), 0);
  return Array.from(logits, (z) => Math.exp(z) / total);
};

/** Mean losses of the dense model without branches, by formula on outputs of a model whose last weights are zero. */
async function oracle(dense: Model, gone: readonly number[], data: ReturnType<typeof noise>) {
  const sums = { 'cross-entropy': 0, kl: 0, mse: 0 };
  for (const batch of data.batches) {
    const ours = await rows(silenced(dense, gone), 'logits', batch);
    const theirs = await rows(dense, 'logits', batch);
    ours.forEach((logits, i) => {
      const [p, q] = [softmax(theirs[i]!), softmax(logits)];
      sums['cross-entropy'] -= Math.log(q[batch.labels![i]!]!);
      p.forEach((share, c) => (sums.kl += share * Math.log(share / q[c]!)));
      logits.forEach((z, c) => (sums.mse += (z - theirs[i]![c]!) ** 2 / classes));
    });
  }
  const of = (sum: number): number => sum / data.count!;
  return { 'cross-entropy': of(sums['cross-entropy']), kl: of(sums.kl), mse: of(sums.mse) };
}

describe('loss', () => {
  it.each(['cross-entropy', 'kl', 'mse'] as const)(
    '%s is that of the model without the branches',
    async (loss) => {
      const dense = transformer(['mlp', 'mlp', 'mlp']);
      const data = noise([length, 5]);
      const { branches, dtypeOf } = await prepare(dense);
      const measured = new DepthLoss(dense, branches, dtypeOf, { runtime, data, loss });
      const sets = [[], [0], [1, 2], [0, 1, 2]];
      const losses = await measured.without(sets.map((set) => new Set(set.map((k) => branches[k]!))));
      await measured.release();
      for (const [i, set] of sets.entries())
        expect(losses[i], String(set)).toBeCloseTo((await oracle(dense, set, data))[loss], 5);
    },
  );

  it('is held against the dense model unless told otherwise, whatever its own decisions become', async () => {
    const dense = transformer(['mlp']);
    const { branches, dtypeOf } = await prepare(dense);
    const data = noise([length, 5]);
    for (const loss of [undefined, 'pseudo-labels', { loss: 'pseudo-labels', output: 'logits' }] as const) {
      const measured = new DepthLoss(dense, branches, dtypeOf, { runtime, data, loss });
      expect(measured.loss.name).toBe('kl');
      expect((await measured.without([new Set()]))[0]).toBeCloseTo(0, 6);
      await measured.release();
    }
  });
});

describe('the choice', () => {
  it('by similarity takes the lowest scores, in graph order', async () => {
    const dense = transformer(['mlp', 'mlp', 'mlp', 'mlp']);
    const data = noise([length, 5]);
    const { grouping, branches, dtypeOf } = await prepare(dense);
    const blocks = branches.map((branch) => [branch]);
    const { blocks: scored, measure } = await chooseBlocks(grouping, blocks, dtypeOf, {
      ...{ runtime, data, share: 0.5, score: 'similarity' },
    });
    expect(measure).toBe('similarity');
    const order = [...scored].sort((a, b) => a.score - b.score);
    expect(order.map(({ removed }) => removed)).toEqual([true, true, false, false]);
  });

  it.each([4, 5, 6])('by loss does at least as well as the greedy one among %d', async (count) => {
    const dense = transformer(Array.from({ length: count }, () => 'mlp' as const));
    const data = noise([length, 5]);
    const { grouping, branches, dtypeOf } = await prepare(dense);
    const chosen = await chooseBlocks(
      grouping,
      branches.map((branch) => [branch]),
      dtypeOf,
      { runtime, data, share: 0.5, score: 'loss' },
    );
    const removed = chosen.blocks.flatMap((entry, k) => (entry.removed ? [k] : []));
    expect(removed).toHaveLength(Math.round(count / 2));
    const lossOf = async (set: readonly number[]): Promise<number> => (await oracle(dense, set, data)).kl;
    const greedy: number[] = [];
    while (greedy.length < removed.length) {
      const rest = branches.map((_, k) => k).filter((k) => !greedy.includes(k));
      const losses = await Promise.all(rest.map((k) => lossOf([...greedy, k])));
      greedy.push(rest[losses.indexOf(Math.min(...losses))]!);
    }
    expect(await lossOf(removed)).toBeLessThanOrEqual((await lossOf(greedy)) + 1e-6);
  });

  it('by loss of a single one is the best there is', async () => {
    const dense = transformer(['mlp', 'mlp', 'mlp']);
    const data = noise([length, 5]);
    const { grouping, branches, dtypeOf } = await prepare(dense);
    const blocks = branches.map((branch) => [branch]);
    const { blocks: scored } = await chooseBlocks(grouping, blocks, dtypeOf, {
      ...{ runtime, data, share: 0.3, score: 'loss' },
    });
    for (const [k, { score }] of scored.entries())
      expect(score).toBeCloseTo((await oracle(dense, [k], data)).kl, 5);
    const best = Math.min(...scored.map(({ score }) => score));
    expect(scored.filter(({ removed }) => removed).map(({ score }) => score)).toEqual([best]);
  });

  it('keeps one block, and refuses less than half of one', async () => {
    const dense = transformer(['mlp', 'mlp']);
    const { grouping, branches, dtypeOf } = await prepare(dense);
    const options = { runtime, data: noise([length, 5]), score: 'similarity' } as const;
    const blocks = branches.map((branch: Branch) => [branch]);
    const most = await chooseBlocks(grouping, blocks, dtypeOf, { ...options, share: 0.99 });
    expect(most.blocks.filter(({ removed }) => removed)).toHaveLength(1);
    await expect(chooseBlocks(grouping, blocks, dtypeOf, { ...options, share: 0.1 })).rejects.toMatchObject({
      code: 'nothing-to-prune',
      message: 'a depth of 0.1 is less than one of 2 residual blocks; remove more, or see prune inspect',
    });
  });

  it('scores the inputs of a Sum', async () => {
    const piece = mlp(0, 'x');
    const dense = model({
      inputs: [value('input', ['n', length, width])],
      outputs: [value('logits')],
      initializers: [...piece.weights, weight('embed', [width, width]), weight('head', [width, classes])],
      nodes: [
        node('MatMul', ['input', 'embed'], ['x']),
        ...piece.nodes,
        node('Sum', ['x', 'f0'], ['s']),
        node('ReduceMean', ['s'], ['pooled'], { axes: [1], keepdims: 0 }),
        node('MatMul', ['pooled', 'head'], ['logits']),
      ],
    });
    const { branches, dtypeOf } = await prepare(dense);
    const data = noise([length, width]);
    const measured = new DepthLoss(dense, branches, dtypeOf, { runtime, data, loss: 'mse' });
    const [kept, gone] = await measured.without([new Set(), new Set(branches)]);
    await measured.release();
    expect(kept).toBeCloseTo(0, 6);
    expect(gone).toBeCloseTo((await oracle(dense, [0], data)).mse, 5);
  });
});
