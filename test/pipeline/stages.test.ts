import { beforeAll, describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze.js';
import { prune } from '../../src/api.js';
import { dataFromArrays } from '../../src/data/batches.js';
import { modelInputs } from '../../src/data/inputs.js';
import { encodeModel } from '../../src/onnx/codec.js';
import type { Model } from '../../src/onnx/model.js';
import { floatsOf, floatTensor } from '../../src/onnx/values.js';
import { pruneDepth } from '../../src/pipeline/depth.js';
import { prove } from '../../src/pipeline/prove.js';
import { removeChannels } from '../../src/pipeline/rewrite.js';
import { advance, draftOf, type Draft, type Transition } from '../../src/pipeline/stage.js';
import { planFromFile, type PlanFile } from '../../src/plan/file.js';
import { normal, randomGenerator } from '../../src/random/random.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import { length, transformer } from '../depth/network.js';

const model = transformer(['mlp', 'mlp', 'mlp', 'mlp']);
const data = () => {
  const random = randomGenerator(3);
  const input = Float32Array.from({ length: 16 * length * 5 }, () => normal(random));
  return dataFromArrays({ input: { data: input, dims: [16, length, 5] } }, modelInputs(model));
};

let start: Draft;
let draft: Draft;
let written: Model;

/** The stages of a plan that removes a branch and half of the channels. */
beforeAll(async () => {
  const runtime = await nodeRuntime();
  const options = { depth: 0.25, ratio: 0.5, data: data(), reconstruct: false, verify: 'none' } as const;
  const result = await prune(model, options);
  written = result.model;
  const plan: PlanFile = result.planFile('0');
  start = draftOf(await analyze(model, { runtime }));
  draft = await advance(start, { phase: 'depth', run: pruneDepth }, { runtime, plan });
  const select = ({ analysis: { grouping } }: Draft) =>
    Promise.resolve({ draft: { plan: planFromFile(plan, grouping) } });
  draft = await advance(draft, { phase: 'select', run: select }, {});
  draft = await advance(draft, { phase: 'rewrite', run: removeChannels }, {});
});

/** With every weight of one initializer a little larger. */
function tampered(given: Model): Model {
  const at = given.graph.initializers.findIndex(
    ({ dtype, dims }) => dtype === 'float32' && dims.length === 2,
  );
  const initializers = given.graph.initializers.map((tensor, i) =>
    i === at
      ? floatTensor(
          tensor.name,
          floatsOf(tensor).map((w) => 1.1 * w),
          tensor.dims,
        )
      : tensor,
  );
  return { ...given, graph: { ...given.graph, initializers } };
}

const forged = (transition: Transition): Transition => ({
  ...transition,
  after: { ...transition.after, model: tampered(transition.after.model) },
});

describe('stages', () => {
  it('go on from each other and give what prune gives', () => {
    const [depth, select, rewrite] = draft.done as [Transition, Transition, Transition];
    expect(draft.done.map(({ phase }) => phase)).toEqual(['depth', 'select', 'rewrite']);
    expect(depth.before).toBe(start);
    expect(select.before.analysis).toBe(depth.after.analysis);
    expect(rewrite.before.plan).toBe(select.after.plan);
    expect(encodeModel(draft.model)).toEqual(encodeModel(written));
  });

  it('that do nothing leave no trace', async () => {
    const none = { phase: 'rotation', run: () => Promise.resolve(undefined) } as const;
    expect(await advance(start, none, {})).toBe(start);
  });

  it('are proved one by one', async () => {
    const proofs = await Promise.all(draft.done.map((one) => prove([one], { level: 'full' })));
    const whole = await prove(draft.done, { level: 'full' });
    expect(whole).toMatchObject({ passed: true, level: 'full' });
    expect(whole.compared).toBe(proofs.reduce((sum, { compared }) => sum + compared, 0));
    expect(proofs.map(({ compared }) => compared > 0)).toEqual([true, false, true]);
  });

  it.each([0, 2])('fail where the model of stage %i is another one', async (at) => {
    const chain = draft.done.map((one, i) => (i === at ? forged(one) : one));
    const proof = await prove(chain, { level: 'full' });
    expect(proof.passed).toBe(false);
    expect(proof.failure).toBeDefined();
  });

  it('after one whose proof fails are not looked at', async () => {
    const [depth, , rewrite] = draft.done as [Transition, Transition, Transition];
    const alone = await prove([forged(depth)], { level: 'full' });
    const chain = await prove([forged(depth), rewrite], { level: 'full' });
    expect(chain.runs).toEqual(alone.runs);
    expect(chain.compared).toBe(alone.compared);
  });

  it('without channels to cut around are run whole at level sample', async () => {
    const [depth] = draft.done;
    const proof = await prove([depth!], { level: 'sample' });
    expect(proof).toMatchObject({ passed: true, level: 'sample', cuts: 0 });
    expect(proof.compared).toBeGreaterThan(0);
  });
});
