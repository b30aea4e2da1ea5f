import { describe, expect, it } from 'vitest';

import {
  floatAttribute,
  graphAttributes,
  intAttribute,
  intsAttribute,
  stringAttribute,
  withAttribute,
  withoutAttribute,
} from '../../src/onnx/attributes.js';
import { checkOpset, opsetOf } from '../../src/onnx/domain.js';
import { graph, model, node } from './build.js';

describe('attributes', () => {
  const all = node('Op', [], [], {
    int: { type: 'int', value: 2n ** 63n - 1n },
    ints: { type: 'ints', value: [1n, -(2n ** 63n)] },
    float: { type: 'float', value: 0.5 },
    string: { type: 'string', value: new TextEncoder().encode('é') },
    body: { type: 'graph', value: graph([], [], []) },
    bodies: { type: 'graphs', value: [graph([], [], []), graph([], [], [])] },
  });

  it('are read, clamped to safe integers, or replaced by the fallback', () => {
    expect(intAttribute(all, 'int')).toBe(Number.MAX_SAFE_INTEGER);
    expect(intsAttribute(all, 'ints')).toEqual([1, Number.MIN_SAFE_INTEGER]);
    expect(floatAttribute(all, 'float')).toBe(0.5);
    expect(stringAttribute(all, 'string')).toBe('é');
    expect([intAttribute(all, 'none'), intAttribute(all, 'none', 3)]).toEqual([undefined, 3]);
    expect(intsAttribute(all, 'none', [1])).toEqual([1]);
    expect(graphAttributes(all).map(({ attribute, index }) => [attribute, index])).toEqual([
      ['body', undefined],
      ['bodies', 0],
      ['bodies', 1],
    ]);
  });

  it('of another kind are an invalid file', () => {
    expect(() => intAttribute(all, 'float')).toThrow(
      "attribute 'float' of node '' (Op) is of kind float, not int",
    );
  });

  it('are written without touching the node', () => {
    const changed = withAttribute(all, 'int', { type: 'int', value: 1n });
    expect([intAttribute(changed, 'int'), intAttribute(all, 'int')]).toEqual([1, Number.MAX_SAFE_INTEGER]);
    expect([...changed.attributes.keys()]).toEqual([...all.attributes.keys()]);
    expect(withoutAttribute(changed, 'int').attributes.has('int')).toBe(false);
    expect(withoutAttribute(all, 'none')).toBe(all);
  });
});

it('opsets older than 7 are refused', () => {
  const empty = graph([], [], []);
  expect(() => checkOpset(model(empty, 6))).toThrow('opset 6 is older than 7');
  expect(() => checkOpset(model(empty, 7))).not.toThrow();
  expect(() => checkOpset(model(empty, 99))).not.toThrow();
  expect(opsetOf(model(empty, 9), 'ai.onnx')).toBe(9);
  expect(() => opsetOf(model(empty), 'custom')).toThrow("imports no opset of domain 'custom'");
});
