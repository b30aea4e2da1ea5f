import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { analyze, openData } from '../../src/api.js';
import type { Analysis } from '../../src/analysis/analyze.js';
import type { Criterion } from '../../src/criteria/criterion.js';
import { criteria } from '../../src/criteria/resolve.js';
import { dataNeeds } from '../../src/members/measured.js';
import type { GroupScores } from '../../src/criteria/score.js';
import type { DataSource } from '../../src/data/batch.js';
import { Importance } from '../../src/pipeline/importance.js';
import type { Plan } from '../../src/plan/plan.js';

const models = join(import.meta.dirname, '..', '..', 'models');
const measured: ReadonlySet<string> = new Set(dataNeeds);
const fromData = Object.entries<Criterion>(criteria).filter(([, { needs }]) =>
  needs.some((need) => measured.has(need)),
);

describe.each(['resnet20_bn', 'vit_tiny'])('criteria measured on data, on %s', (name) => {
  let analysis: Analysis;
  let data: DataSource;

  beforeAll(async () => {
    analysis = await analyze(join(models, 'trained', `${name}.onnx`));
    const path = join(models, 'data', 'train2048-images-idx3-ubyte.gz');
    data = await openData({ path, mean: [0.286], std: [0.353], limit: 4, batch: 2 }, analysis.model);
  });

  const scoresOf = async (criterion: Criterion, plan: Plan = { kept: new Map() }): Promise<GroupScores> => {
    const importance = new Importance(analysis, { criterion, data });
    try {
      return await importance.score(plan);
    } finally {
      await importance.release();
    }
  };

  it.each(fromData)('%s gives one finite score per channel, the same ones again', async (_, criterion) => {
    const scores = await scoresOf(criterion);
    expect(scores.size).toBeGreaterThan(analysis.grouping.groups.length / 2);
    for (const [group, list] of scores) {
      expect(list).toHaveLength(group.size);
      expect([...list].every(Number.isFinite)).toBe(true);
    }
    expect([...scores.values()].filter((list) => new Set(list).size > 1).length).toBeGreaterThan(
      scores.size / 2,
    );
    expect([...(await scoresOf(criterion)).values()]).toEqual([...scores.values()]);
  });

  it('puts channels that are gone last', async () => {
    const group = analysis.grouping.groups[0]!;
    const kept = Int32Array.from({ length: group.size - 2 }, (_, i) => i + 2);
    const scores = (await scoresOf(criteria.taylor, { kept: new Map([[group, kept]]) })).get(group)!;
    expect(Math.max(scores[0]!, scores[1]!)).toBeLessThan(Math.min(...scores.slice(2)));
    const mean = scores.slice(2).reduce((a, b) => a + b, 0) / kept.length;
    expect(mean).toBeCloseTo(1, 6);
  });

  it('are refused without data', () => {
    expect(() => new Importance(analysis, { criterion: criteria.taylor })).toThrow(
      "criterion 'taylor' is measured on data",
    );
  });
});
