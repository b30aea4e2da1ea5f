import { describe, expect, it } from 'vitest';
import type { BenchResult } from '../../src/bench/result.js';
import { describeBlocker, blockerLines, remedyFor } from '../../src/report/advice.js';
import { benchText } from '../../src/report/bench.js';
import { toJsonText } from '../../src/report/json.js';
import {
  formatBytes,
  formatCount,
  formatError,
  formatMilliseconds,
  formatShare,
} from '../../src/report/numbers.js';
import { alignColumns, alignLabels } from '../../src/report/table.js';
import { outputsText, proofText } from '../../src/report/proof.js';

describe('numbers', () => {
  it.each([
    [0, '0'],
    [981, '981'],
    [999.4, '999'],
    [999.6, '1.00 k'],
    [40_960_000, '41.0 M'],
    [1_824_000_000, '1.82 G'],
  ])('count %d is %s', (count, text) => expect(formatCount(count)).toBe(text));

  it.each([
    [0, '0 B'],
    [512, '512 B'],
    [1_090_123, '1.09 MB'],
  ])('%d bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  it.each([
    [0, '0 %'],
    [1, '100 %'],
    [0.4821, '48.2 %'],
    [0.99999, '> 99.9 %'],
    [0.00001, '< 0.1 %'],
  ])('share %d is %s: what is not all is never printed as all', (share, text) =>
    expect(formatShare(share)).toBe(text),
  );

  it.each([
    [0.01234, '0.0123 ms'],
    [12.34, '12.3 ms'],
    [1234, '1.23 s'],
    [125_400, '125 s'],
  ])('%d milliseconds are %s', (milliseconds, text) => expect(formatMilliseconds(milliseconds)).toBe(text));

  it('errors have two digits', () => {
    expect(formatError(0)).toBe('0');
    expect(formatError(3.14159e-7)).toBe('3.1e-7');
  });
});

describe('tables', () => {
  it('align the first column left and all others right', () => {
    const rows = [
      ['model', 'dense', 'pruned'],
      ['MACs', '41.0 M', '9'],
      ['note', ''],
    ];
    expect(alignColumns(rows)).toEqual(['model   dense  pruned', 'MACs   41.0 M       9', 'note']);
  });

  it('align the texts of labels', () => {
    expect(alignLabels([['a', '1'], ['long', '2']])).toEqual(['a     1', 'long  2']); // prettier-ignore
  });
});

describe('advice', () => {
  const gather = { node: 'emb', op: 'Gather', axis: 'input 0 axis 0', why: 'its rows are words' };
  const output = {
    node: 'logits',
    op: 'graph output',
    axis: 'axis 1',
    why: "it is part of the model's interface",
  };
  const custom = { node: 'x', op: 'my::Op', axis: 'all axes', why: 'no rule is known for this op' };

  it('says where, why and what to do', () => {
    expect(describeBlocker(gather)).toBe("Gather 'emb' input 0 axis 0: its rows are words");
    expect(remedyFor(gather)).toBeUndefined();
    expect(remedyFor(output)).toContain("--allow-io 'logits:1'");
    expect(remedyFor(custom)).toContain('my::Op');
  });

  it('puts alike nodes on one line, the costliest first', () => {
    const lines = blockerLines(
      [
        { blocker: gather, parameters: 50 },
        { blocker: output, parameters: 60 },
        { blocker: { ...gather, node: 'emb2' }, parameters: 40 },
        { blocker: custom, parameters: 1 },
      ],
      2,
    );
    expect(lines).toHaveLength(3);
    expect(lines[0]).toBe("90 in Gather 'emb' input 0 axis 0: its rows are words (and 1 more alike)");
    expect(lines[1]).toMatch(/^60 in graph output 'logits' axis 1/);
    expect(lines[2]).toBe('and 1 more; see prune inspect --json');
  });
});

describe('texts', () => {
  it('of a skipped, a passed and a failed proof', () => {
    const proof = {
      passed: true,
      level: 'outputs' as const,
      failure: undefined,
      runs: [{ input: [1, 3] }],
      cuts: 0,
      compared: 3,
      maxError: 2.5e-7,
      worst: 'relu1',
      outputs: [],
      redrawn: [],
      dead: ['zero'],
      skipped: [],
      weights: 'sliced' as const,
      warnings: [],
      milliseconds: 1,
    };
    expect(proofText(undefined)).toBe('skipped');
    expect(proofText(proof)).toBe(
      "passed: 3 tensors compared in 1 run, max relative error 2.5e-7 at 'relu1', 1 near zero proved nothing",
    );
    expect(proofText({ ...proof, passed: false })).toMatch(/^failed: /);
    expect(proofText({ ...proof, redrawn: ['a'], dead: [] })).toMatch(/, 1 of them with re-drawn weights$/);
    const changed = proofText({ ...proof, weights: 'changed' });
    expect(changed).toMatch(/^structure passed: 3 tensors compared in 1 run with weights re-drawn alike/);
    expect(changed).toMatch(/weights changed: their values are not proved$/);
    expect(proofText({ ...proof, level: 'shapes' })).toMatch(/^passed \(shapes only\)/);
  });

  it('of the outputs of a proof', () => {
    expect(outputsText([])).toBeUndefined();
    expect(outputsText([{ name: 'y', proof: 'compared', why: undefined }])).toBe('1 of 1 compared');
    expect(
      outputsText([
        { name: 'y', proof: 'compared', why: undefined },
        { name: 'k', proof: 'inputs', why: 'it is drawn at random' },
        { name: 'z', proof: 'none', why: 'it is near zero' },
      ]),
    ).toBe(
      "1 of 3 compared; 'k' by what it is computed from (it is drawn at random); 'z' not at all (it is near zero)",
    );
  });

  it('of a measurement: models, speedup with its interval, and nodes that ran elsewhere', () => {
    const timing = { p90: 3, minimum: 1, spread: 0.1, samples: [] };
    const result: BenchResult = {
      runtime: 'onnxruntime-node 1',
      provider: 'cuda',
      placement: [{ name: 'small', nodes: {}, computeShare: 0.5, elsewhere: ['Conv'] }],
      threads: 2,
      inputs: { input: [1, 3] },
      seed: 0,
      warmup: 1,
      rounds: 7,
      models: [
        { ...timing, name: 'dense', median: 2 },
        { ...timing, name: 'small', median: 1 },
      ],
      comparisons: [{ name: 'small', baseline: 'dense', speedup: 2, interval: [1.9, 2.1] }],
    };
    const text = benchText(result);
    expect(text).toContain('onnxruntime-node 1 on cuda, 2 threads, input [1, 3], 7 interleaved runs');
    expect(text).toMatch(/^small +1\.00 ms +3\.00 ms +10\.0 % +2\.00x +1\.90 to 2\.10$/m);
    expect(text).toContain("note: 50.0 % of small's compute nodes ran on cuda, elsewhere Conv");
  });

  it('in JSON hold what JSON has no words for', () => {
    const value = { map: new Map([['a', 1n]]), list: Int32Array.of(1, 2), nan: NaN, none: undefined };
    expect(JSON.parse(toJsonText(value))).toEqual({ map: { a: '1' }, list: [1, 2], nan: 'NaN' });
  });
});
