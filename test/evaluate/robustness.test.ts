import { expect, it } from 'vitest';
import { evaluate, loadModel, openData, prune, robustness } from '../../src/index.js';
import { corrupted } from '../../src/data/corruption.js';

const images = { path: 'models/data/t10k-images-idx3-ubyte.gz', mean: 0.286, std: 0.353 };

it(
  'is the top-1 of both models on the first examples, clean and corrupted',
  { timeout: 600_000 },
  async () => {
    const dense = await loadModel('models/trained/mobilenet_se.onnx');
    const { model } = await prune(dense, { ratio: 0.2, verify: 'none' });
    const { examples, rows } = (await robustness(dense, model, { data: { ...images, limit: 1100 } }))!;
    expect(rows.map(({ condition }) => condition)).toEqual(['clean', 'noise', 'blur', 'contrast']);
    expect(examples).toBe(1000);
    // Hits on the first 1,000 test images, as the evaluation's own test has them from another runtime.
    expect(rows[0]!.dense).toBe(0.934);
    const data = await openData({ ...images, limit: 1000 }, dense);
    for (const [row, kind] of [
      [rows[1]!, 'noise'],
      [rows[3]!, 'contrast'],
    ] as const) {
      const { accuracy } = await evaluate(model, { data: corrupted(data, kind) });
      expect(row.pruned).toBe(accuracy!.top1);
      expect(row.dense).toBeLessThan(0.934);
    }
  },
);

it('is undefined without labels, and without images', async () => {
  const dense = await loadModel('models/trained/lstm2.onnx');
  expect(await robustness(dense, dense, { data: { path: 'random', limit: 4 } })).toBeUndefined();
});
