import { expect, test } from 'vitest';
import { parseProfile } from '../../src/runtime/profile.js';
import { assertProvider, providerUse } from '../../src/runtime/providers.js';
import type { ProfiledNode } from '../../src/runtime/runtime.js';

const ran = (opType: string, provider: string): ProfiledNode => ({
  name: opType,
  opType,
  provider,
  microseconds: 1,
});
const cpu = 'CPUExecutionProvider';
const cuda = 'CUDAExecutionProvider';

test('a silent fallback to the cpu is refused with what to install', () => {
  const profile = [ran('Conv', cpu), ran('Relu', cpu)];
  expect(() => assertProvider(profile, 'cuda')).toThrow(
    /^provider cuda ran none of the compute nodes \(CPUExecutionProvider did\): install CUDA 12 .*ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild/,
  );
  expect(() => assertProvider(profile, 'cpu')).not.toThrow();
});

test('the wanted provider must run contractions, not just what is around them', () => {
  expect(() => assertProvider([ran('Conv', cpu), ran('Relu', cuda)], 'cuda')).toThrow(/ran none/);
  expect(() => assertProvider([ran('Relu', cuda), ran('Shape', cpu)], 'cuda')).not.toThrow();
});

test('a partial fallback is reported', () => {
  const use = providerUse([ran('FusedConv', cuda), ran('LSTM', cpu), ran('Gather', cpu)], 'cuda');
  expect(use).toEqual({ nodes: { [cuda]: 1, [cpu]: 2 }, computeShare: 0.5, elsewhere: ['LSTM'] });
});

test('reads only kernel events, and a trace cut short', () => {
  const kernel = {
    cat: 'Node',
    name: 'conv1_kernel_time',
    dur: 12,
    args: { op_name: 'Conv', provider: cpu },
  };
  const events = [
    { cat: 'Session', name: 'session_initialization', dur: 5, args: {} },
    { cat: 'Node', name: 'conv1_fence_before', dur: 1, args: { op_name: 'Conv' } },
    kernel,
  ];
  const expected = [{ name: 'conv1', opType: 'Conv', provider: cpu, microseconds: 12 }];
  expect(parseProfile(JSON.stringify(events))).toEqual(expected);
  expect(parseProfile(`${JSON.stringify(events).slice(0, -1)},\n`)).toEqual(expected);
  expect(() => parseProfile('no trace')).toThrow(/is not JSON/);
});
