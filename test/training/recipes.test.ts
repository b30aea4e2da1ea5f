import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { analyze, loadModel, prune } from '../../src/api.js';
import type { Analysis } from '../../src/analysis/analyze.js';
import type { DataSource } from '../../src/data/batch.js';
import { dataFromArrays } from '../../src/data/batches.js';
import { modelInputs } from '../../src/data/inputs.js';
import type { Model } from '../../src/onnx/model.js';
import { fillNormal, randomGenerator } from '../../src/random/random.js';
import { annealing, presence } from '../../src/training/recipes/annealing.js';
import { channelNorms, scaleChannels, sumByChannel, trainedGroups, type TrainedGroup } from '../../src/training/recipes/channels.js'; // prettier-ignore
import { IndispensableChannels } from '../../src/training/recipes/cric.js';
import { gradual } from '../../src/training/recipes/gradual.js';
import { groupLasso } from '../../src/training/recipes/group-lasso.js';
import { hesso } from '../../src/training/recipes/hesso.js';
import { maskSparsity } from '../../src/training/recipes/mask-sparsity.js';
import { hessoScores } from '../../src/training/recipes/saliency.js';
import type { ChannelScores, Chooser, Keeps, Moment } from '../../src/training/recipes/recipe.js';
import { recipes, resolveRecipe } from '../../src/training/recipes/resolve.js';
import { studentOf, valuesOf, type Student } from '../../src/training/student.js';
import { copyValues, type Values } from '../../src/training/values.js';
import { folder } from './reference.js';

let dense: Model;
let whole: Analysis;
let student: Student;
let groups: TrainedGroup[];
let values: Values;

beforeAll(async () => {
  dense = await loadModel(join(folder, 'resnet_bn.onnx'));
  whole = await analyze(dense);
  student = studentOf(whole.axes);
  groups = trainedGroups(whole.grouping, student.nameOf);
  values = valuesOf(student);
});

function moment(step: number, steps = 100, own: Values = values): Moment {
  const gradientsAt = (): Promise<Values> => Promise.resolve(like(own, 'there'));
  return { values: own, step, steps, random: randomGenerator(`${step}`), gradientsAt };
}

/** Numbers of the values' shapes. */
function like(own: Values, seed: string): Values {
  return new Map([...own].map(([name, { length }]) => [name, fillNormal(new Float32Array(length), randomGenerator(seed + name))])); // prettier-ignore
}

/** Takes away the lowest: half of each group, in proportion to the share. */
const halves: Chooser = (scores, share) => Promise.resolve(lowest(scores, share / 2));

function lowest(scores: ChannelScores, share: number): Keeps {
  return new Map(
    [...scores].map(([group, own]) => {
      const order = [...own.keys()].sort((a, b) => own[a]! - own[b]!);
      const keep = new Uint8Array(group.size).fill(1);
      for (const channel of order.slice(0, Math.floor(share * group.size))) keep[channel] = 0;
      return [group, keep];
    }),
  );
}

const firstHalf = (): Keeps =>
  new Map(groups.map(({ group }) => [group, Uint8Array.from({ length: group.size }, (_, c) => Number(2 * c >= group.size))])); // prettier-ignore

const goneOf = (keeps: Keeps, { group }: TrainedGroup): number[] =>
  [...(keeps.get(group) ?? [])].flatMap((bit, channel) => (bit === 0 ? [channel] : []));

describe('channels of groups', () => {
  it('are those that the weights have by hand', () => {
    // The hidden channels of the block: rows of its first convolution, scale and shift of the norm, columns of the second.
    const inner = groups.find(({ axes }) =>
      axes.some(({ name, role }) => name === '3.a.weight' && role === 'produce'),
    )!;
    expect(inner.axes.map(({ name }) => name).sort()).toEqual(['3.a.weight', '3.b.weight', '3.na.bias', '3.na.weight']); // prettier-ignore
    const norms = channelNorms(inner, values);
    const [a, b] = [values.get('3.a.weight')!, values.get('3.b.weight')!];
    for (let c = 0; c < 8; c++) {
      let squares = values.get('3.na.weight')![c]! ** 2 + values.get('3.na.bias')![c]! ** 2;
      for (let i = 0; i < 72; i++) squares += a[72 * c + i]! ** 2;
      for (let o = 0; o < 8; o++) for (let k = 0; k < 9; k++) squares += b[(8 * o + c) * 9 + k]! ** 2;
      expect(norms[c]).toBeCloseTo(Math.sqrt(squares), 6);
    }
    const copy = copyValues(values);
    scaleChannels(inner, copy, [0, 1, 1, 1, 1, 1, 1, 1]);
    expect(channelNorms(inner, copy)).toEqual(norms.with(0, 0));
  });
});

describe('HESSO', () => {
  it('forgets by equal parts, and leaves exact zeros in what goes and nothing else', async () => {
    const own = copyValues(values);
    const recipe = hesso({ warmUp: 0.1, until: 0.6, periods: 1 })({
      groups,
      chosen: new Map(),
      choose: halves,
    });
    const seen: number[][] = [];
    for (let step = 0; step < 100; step++) {
      await recipe.gradients!(like(own, `${step}`), moment(step, 100, own));
      recipe.project!(moment(step, 100, own));
      seen.push([...channelNorms(groups[0]!, own)]);
    }
    const keeps = await recipe.finish(own);
    const gone = goneOf(keeps, groups[0]!);
    expect(gone).toHaveLength(groups[0]!.size / 2);
    const before = channelNorms(groups[0]!, values);
    for (let channel = 0; channel < groups[0]!.size; channel++) {
      const isGone = gone.includes(channel);
      // Weights that cross two groups are scaled by both, so only the bounds are sharp.
      if (!isGone) continue;
      expect(seen[9]![channel]).toBe(before[channel]);
      expect(seen[10]![channel]).toBeLessThan(before[channel]!);
      expect(seen[58]![channel]).toBeGreaterThan(0);
      expect(seen[59]![channel]).toBe(0);
    }
    for (const group of groups)
      for (const channel of goneOf(keeps, group)) expect(channelNorms(group, own)[channel]).toBe(0);
  });

  it('adds five terms, each of length 1 over all channels', () => {
    const gradients = like(values, 'g');
    const scores = hessoScores(groups, values, gradients);
    const terms = groups.map((group) => {
      const norms = channelNorms(group, values);
      const count = sumByChannel(group, values, values, () => 1);
      const product = sumByChannel(group, values, gradients, (w, g) => w * g);
      const length = channelNorms(group, gradients);
      return [...norms.keys()].map((c) => [norms[c]!, norms[c]! / Math.sqrt(count[c]!), 1 - product[c]! / (norms[c]! * length[c]!), Math.abs(product[c]!), product[c]! ** 2 / 2]); // prettier-ignore
    });
    const lengths = [0, 1, 2, 3, 4].map((k) => Math.hypot(...terms.flat().map((own) => own[k]!)));
    groups.forEach(({ group }, g) =>
      terms[g]!.forEach((own, c) =>
        expect(scores.get(group)![c]).toBeCloseTo(
          own.reduce((sum, term, k) => sum + term / lengths[k]!, 0),
          9,
        ),
      ),
    );
  });

  it('protects with CRIC what grows on the way to zero, for good', async () => {
    const scores: ChannelScores = new Map(groups.map(({ group, size }) => [group, Float64Array.from({ length: size }, (_, c) => c)])); // prettier-ignore
    // Gradients at the smaller weights are huge for what reads channel 0 of the first group.
    const [first] = groups as [TrainedGroup];
    const calm = like(values, 'calm');
    const there = copyValues(calm);
    scaleChannels(
      first,
      there,
      Float64Array.from({ length: first.size }, (_, c) => (c === 0 ? 1e3 : 1)),
    );
    const guard = new IndispensableChannels(groups);
    const at: Moment = { ...moment(0), gradientsAt: () => Promise.resolve(there) };
    const find = (all: ChannelScores): Promise<Keeps> => Promise.resolve(lowest(all, 0.25));
    const keeps = await guard.choose(scores, find, calm, at);
    expect(lowest(scores, 0.25).get(first.group)![0]).toBe(0);
    expect(keeps.get(first.group)![0]).toBe(1);
    const again = await guard.choose(scores, find, calm, { ...at, gradientsAt: () => Promise.resolve(calm) });
    expect(again.get(first.group)![0]).toBe(1);
  });
});

describe('MaskSparsity', () => {
  it('leaves the gradients of kept channels alone, and weighs on the scales of all others', () => {
    const before = like(values, 'g');
    const gradients = copyValues(before);
    const chosen = firstHalf();
    void maskSparsity({ strength: 0.25 })({ groups, chosen, choose: halves }).gradients!(
      gradients,
      moment(0),
    );
    let changed = 0;
    for (const group of groups) {
      const scales = group.axes.filter(({ role }) => role === 'scale');
      expect(scales.length).toBeGreaterThan(0);
      for (const { name, channels } of scales)
        channels.forEach((channel, i) => {
          const difference = gradients.get(name)![i]! - before.get(name)![i]!;
          const isKept = chosen.get(group.group)![channel] === 1;
          if (isKept) expect(difference).toBe(0);
          else expect(difference).toBeCloseTo(0.25 * Math.sign(values.get(name)![i]!), 6);
          changed += Number(!isKept);
        });
    }
    const others = [...before].filter(([name]) => !groups.some(({ axes }) => axes.some((axis) => axis.name === name && axis.role === 'scale'))); // prettier-ignore
    for (const [name, own] of others) expect(gradients.get(name)).toEqual(own);
    expect(changed).toBeGreaterThan(0);
  });
});

describe('stochastic subnetwork annealing', () => {
  it('has masked channels there as often as it says, kept ones always', () => {
    const chosen = firstHalf();
    const recipe = annealing()({ groups, chosen, choose: halves });
    const [group] = groups as [TrainedGroup];
    for (const step of [0, 25, 49, 50, 99]) {
      let there = 0;
      const draws = 400;
      for (let draw = 0; draw < draws; draw++) {
        const own = recipe.forward!({ ...moment(step), random: randomGenerator(`${step}:${draw}`) });
        const norms = channelNorms(group, own);
        chosen.get(group.group)!.forEach((bit, c) => {
          if (bit === 1) expect(norms[c]).toBeGreaterThan(0);
          else there += Number(norms[c]! > 0);
        });
      }
      const trials = draws * goneOf(chosen, group).length;
      const chance = presence(step / 100);
      // Five standard deviations; with no chance there is no deviation.
      const deviation = Math.sqrt((chance * (1 - chance)) / trials);
      expect(Math.abs(there / trials - chance)).toBeLessThanOrEqual(5 * deviation);
    }
    expect([0, 0.25, 0.5, 1].map((share) => presence(share))).toEqual([0.5, 0.25, 0, 0].map((v): unknown => expect.closeTo(v, 12))); // prettier-ignore
    expect(presence(0.1, { curve: 'linear' })).toBeCloseTo(0.4, 12);
    expect(values).toEqual(valuesOf(student));
  });
});

describe('group lasso', () => {
  it('adds the gradient of λ Σ √|g| ‖w_g‖, as differences of it say', () => {
    const strength = 0.3;
    const gradients: Values = new Map([...values].map(([name, own]) => [name, new Float64Array(own.length) as unknown as Float32Array])); // prettier-ignore
    void groupLasso({ strength })({ groups, chosen: new Map(), choose: halves }).gradients!(
      gradients,
      moment(0),
    );
    const penalty = (own: Values): number =>
      groups.reduce((sum, group) => {
        const counts = sumByChannel(group, own, own, () => 1);
        return (
          sum +
          channelNorms(group, own).reduce((all, norm, c) => all + strength * Math.sqrt(counts[c]!) * norm, 0)
        );
      }, 0);
    for (const [name, index] of [
      ['3.a.weight', 5],
      ['3.na.weight', 2],
      ['0.weight', 40],
    ] as const) {
      const shifted = (by: number): Values =>
        new Map([...values].map(([key, own]) => [key, key === name ? Float64Array.from(own).with(index, own[index]! + by) as unknown as Float32Array : own])); // prettier-ignore
      const slope = (penalty(shifted(1e-4)) - penalty(shifted(-1e-4))) / 2e-4;
      expect(gradients.get(name)![index]).toBeCloseTo(slope, 5);
    }
  });
});

describe('gradual pruning', () => {
  it('removes by the cubic schedule, and what has gone stays zero', async () => {
    const shares: number[] = [];
    const own = copyValues(values);
    const choose: Chooser = (scores, share) => {
      shares.push(share);
      return Promise.resolve(lowest(scores, share / 2));
    };
    const recipe = gradual({ until: 0.5, times: 5 })({ groups, chosen: new Map(), choose });
    for (let step = 0; step < 100; step++) {
      for (const weights of own.values()) for (let i = 0; i < weights.length; i++) weights[i]! += 0.01;
      await recipe.gradients!(new Map(), moment(step, 100, own));
      recipe.project!(moment(step, 100, own));
    }
    expect(shares).toEqual([1, 2, 3, 4, 5].map((t) => 1 - (1 - t / 5) ** 3));
    const keeps = await recipe.finish(own);
    for (const group of groups) {
      expect(goneOf(keeps, group)).toHaveLength(group.size / 2);
      for (const channel of goneOf(keeps, group)) expect(channelNorms(group, own)[channel]).toBe(0);
    }
  });
});

describe('pruning while training, from the model to the proof', () => {
  let data: DataSource;
  beforeAll(() => {
    const x = fillNormal(new Float32Array(60 * 3 * 16 * 16), randomGenerator('images'));
    data = dataFromArrays({ x: { data: x, dims: [60, 3, 16, 16] } }, modelInputs(dense), { batch: 10 });
  });

  it.each(Object.keys(recipes) as (keyof typeof recipes)[])('%s', async (recipe) => {
    const distil = { epochs: 5, trainBatch: 10, heldOut: 10, learningRate: 0.01 };
    const { report, plan, model } = await prune(dense, { ratio: 0.5, data, recipe, distil });
    expect(report.sparsification!.steps).toBe(25);
    expect(report.verification!.passed).toBe(true);
    expect(plan.kept.size).toBeGreaterThan(0);
    expect(report.macs.pruned).toBeLessThan(report.macs.dense);
    expect(report.training!.before).toBeGreaterThanOrEqual(report.training!.after);
    if (recipe.startsWith('hesso') || recipe === 'gradual')
      // What went was zero: the model before slicing was as far from the dense one as what is left.
      expect(report.training!.before).toBeCloseTo(report.sparsification!.after, 4);
    expect(model.graph.outputs.map(({ name }) => name)).toEqual(['y']);
  });

  it('refuses what it cannot do', async () => {
    await expect(prune(dense, { ratio: 0.5, recipe: 'hesso' })).rejects.toThrow(/needs data/);
    const timed = prune(dense, { ratio: 0.5, data, recipe: 'hesso', distil: { minutes: 1 } });
    await expect(timed).rejects.toThrow(/minutes can't be had together with pruning while training/);
    expect(() => resolveRecipe('slim' as 'hesso')).toThrow(/unknown recipe: slim; use one of gradual, hesso/);
  });
});
