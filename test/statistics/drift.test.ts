import { beforeAll, describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze.js';
import { defineCriterion } from '../../src/criteria/criterion.js';
import { obspa } from '../../src/criteria/obspa.js';
import { dataFromArrays } from '../../src/data/batches.js';
import type { DataSource } from '../../src/data/batch.js';
import { modelInputs } from '../../src/data/inputs.js';
import type { Model } from '../../src/onnx/model.js';
import { floatTensor } from '../../src/onnx/values.js';
import { prunePipeline } from '../../src/pipeline/prune.js';
import { randomGenerator } from '../../src/random/random.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { measureDrift, typicalDrift } from '../../src/statistics/drift.js';
import { graph, model, node, withInput } from '../onnx/build.js';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime();
});

const channels = 4;
const side = 5;
const examples = 50;
/** Amplitudes of the planes: the first is all but silent on this data. */
const amplitudes = [0.05, 1, 1, 1];

/** Each channel is a plane of the input; the reader takes half as much of channel 1 as of the others. */
function dense(recorded: readonly number[]): Model {
  const plane = Array.from({ length: channels ** 2 }, (_, i) => +(i % (channels + 1) === 0));
  const ones = Array.from({ length: channels }, () => 1);
  const next = randomGenerator('reader');
  const reader = Array.from({ length: 6 * channels }, (_, i) => (i % channels === 1 ? 0.5 : 1) * (next() < 0.5 ? -1 : 1)); // prettier-ignore
  const nodes = [
    node('Conv', ['x', 'w'], ['q']),
    node('BatchNormalization', ['q', 'scale', 'shift', 'mean', 'variance'], ['n']),
    node('Conv', ['n', 'v'], ['y']),
  ];
  const tensors = [
    floatTensor('w', plane, [channels, channels, 1, 1]),
    ...[floatTensor('scale', ones), floatTensor('shift', ones), floatTensor('mean', ones)],
    floatTensor('variance', recorded),
    floatTensor('v', reader, [6, channels, 1, 1]),
  ];
  return withInput(model(graph(nodes, ['x'], ['y'], tensors)), ['n', channels, side, side]);
}

const planeSize = side * side;
const next = randomGenerator('data');
const values = Float32Array.from(
  { length: examples * channels * planeSize },
  (_, i) => amplitudes[Math.floor(i / planeSize) % channels]! * (next() - 0.2),
);
const data = (of: Model): DataSource =>
  dataFromArrays({ x: { data: values, dims: [examples, channels, side, side] } }, modelInputs(of), {
    batch: 16,
  });

const variances = amplitudes.map((_, channel) => {
  const own = values.filter((__, i) => Math.floor(i / planeSize) % channels === channel);
  const mean = own.reduce((a, b) => a + b, 0) / own.length;
  return own.reduce((sum, value) => sum + (value - mean) ** 2, 0) / own.length;
});

describe('what normalisations recorded against what the data gives', () => {
  it('is measured over examples and places, in batches of any size', async () => {
    const built = dense([3, 1, 2, 4]);
    const { grouping } = await analyze(built, { runtime });
    const group = grouping.groups.find(({ size }) => size === channels)!;
    const drift = (await measureDrift(grouping, { runtime, data: data(built) })).get(group)!;
    expect(drift).toHaveLength(1);
    expect([...drift[0]!.recorded]).toEqual([3, 1, 2, 4]);
    drift[0]!.measured.forEach((value, i) => expect(value / variances[i]!).toBeCloseTo(1, 5));
    const factors = [3, 1, 2, 4].map((value, i) => value / variances[i]!).sort((a, b) => a - b);
    expect(typicalDrift(drift)! / factors[2]!).toBeCloseTo(1, 5);
  });

  const chosenBy = async (recorded: readonly number[], source?: Partial<DataSource>) => {
    const built = dense(recorded);
    const given = Object.assign(data(built), source);
    const options = { ratio: 0.25, only: ['w'], runtime, data: given, reconstruct: false, verify: 'none' } as const; // prettier-ignore
    const blind = defineCriterion({ ...obspa, score: (context) => obspa.score({ ...context, drift: [] }) });
    const goneBy = async (criterion: typeof obspa) => {
      const { plan, report } = await prunePipeline(built, { ...options, criterion });
      const kept = [...plan.kept.values()][0]!;
      return { gone: [0, 1, 2, 3].filter((channel) => !kept.includes(channel)), report };
    };
    const { gone, report } = await goneBy(obspa);
    return { gone, blind: (await goneBy(blind)).gone, warnings: report.warnings };
  };

  it('saves a channel that is silent on this data alone, and users are told', async () => {
    const { gone, blind, warnings } = await chosenBy([1, 1, 1, 1].map((v, i) => v * variances[Math.max(1, i)]! * 2)); // prettier-ignore
    expect(blind).toEqual([0]);
    expect(gone).toEqual([1]);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/half of the channels vary at least 2\.0 times .* check its preprocessing/);
  });

  it('changes nothing where the data is as it was in training', async () => {
    expect(await chosenBy(variances)).toEqual({ gone: [1], blind: [1], warnings: [] });
  });

  it('is expected of noise', async () => {
    const { warnings } = await chosenBy(variances.map((v) => 4 * v), { isNoise: true }); // prettier-ignore
    expect(warnings).toEqual([]);
  });
});
