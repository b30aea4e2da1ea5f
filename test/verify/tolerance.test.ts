import { expect, it } from 'vitest';
import type { DataType } from '../../src/onnx/data-type.js';
import { defaultTolerance, inheritedTolerances } from '../../src/verify/tolerance.js';
import { graph, node } from '../shapes/build-model.js';

it('what was computed in a half keeps its rounding where it is cast to float32', () => {
  const half = defaultTolerance('float16');
  const types: Record<string, DataType> = { h: 'float16', table: 'float16', rows: 'float16' };
  const tolerances = inheritedTolerances(
    graph({
      nodes: [
        node('Gather', ['table', 'ids'], ['rows']),
        node('Cast', ['rows'], ['exact'], { to: 1 }),
        node('MatMul', ['rows', 'w'], ['h']),
        node('Cast', ['h'], ['wide'], { to: 1 }),
        node('Add', ['wide', 'exact'], ['y']),
      ],
    }),
    (value) => types[value] ?? 'float32',
  );
  expect([...tolerances]).toEqual([
    ['h', half],
    ['wide', half],
    ['y', half],
  ]);
});
