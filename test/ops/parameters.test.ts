import { describe, expect, it } from 'vitest';
import type { AttributeValue } from '../../src/onnx/model.js';
import { inputName, parameterOf } from '../../src/ops/parameters.js';
import { node } from '../onnx/build.js';

const ints: AttributeValue = { type: 'ints', value: [1n] };

describe('parameterOf', () => {
  // From the change log of onnx's operators: [op, parameter, last opset with the attribute, input afterwards].
  const moved: [string, string, number, number][] = [
    ['Squeeze', 'axes', 12, 1],
    ['Unsqueeze', 'axes', 12, 1],
    ['Split', 'split', 12, 1],
    ['ReduceSum', 'axes', 12, 1],
    ['ReduceMean', 'axes', 17, 1],
    ['ReduceL2', 'axes', 17, 1],
    ['Slice', 'starts', 9, 1],
    ['Slice', 'ends', 9, 2],
    ['Slice', 'axes', 9, 3],
    ['Pad', 'pads', 10, 1],
    ['Pad', 'value', 10, 2],
    ['Clip', 'min', 10, 1],
    ['Clip', 'max', 10, 2],
    ['TopK', 'k', 9, 1],
    ['Upsample', 'scales', 8, 1],
    ['Dropout', 'ratio', 11, 1],
  ];
  it.each(moved)('%s has %s as an attribute up to opset %d', (op, name, last, index) => {
    const old = node(op, ['x'], ['y'], { [name]: ints });
    expect(parameterOf(old, last, name)).toEqual({ source: 'attribute', attribute: name });
    expect(parameterOf(old, last + 1, name)).toEqual({ source: 'absent' });
    const inputs = Array.from({ length: index + 1 }, (_, i) => `i${i}`);
    const recent = node(op, inputs, ['y']);
    expect(parameterOf(recent, last, name)).toEqual({ source: 'absent' });
    expect(parameterOf(recent, last + 1, name)).toEqual({ source: 'input', index });
    expect(parameterOf(recent, 25, name)).toEqual({ source: 'input', index });
  });

  it.each([
    ['Resize', 'scales', 10, 1],
    ['Resize', 'scales', 11, 2],
    ['Resize', 'roi', 11, 1],
    ['Resize', 'sizes', 13, 3],
    ['Pad', 'axes', 18, 3],
    ['Slice', 'steps', 10, 4],
    ['Reshape', 'shape', 7, 1],
    ['Expand', 'shape', 8, 1],
    ['Tile', 'repeats', 7, 1],
    ['OneHot', 'depth', 9, 1],
    ['ConstantOfShape', 'input', 9, 0],
    ['CumSum', 'axis', 11, 1],
    ['Trilu', 'k', 14, 1],
    ['Range', 'limit', 11, 1],
    ['Gather', 'indices', 13, 1],
  ])('%s has %s at opset %d as input %d', (op, name, opset, index) => {
    expect(parameterOf(node(op, ['a', 'b', 'c', 'd', 'e'], ['y']), opset, name)).toEqual({
      source: 'input',
      index,
    });
  });

  it('takes an empty or missing input as absent', () => {
    expect(parameterOf(node('Clip', ['x', '', 'max'], ['y']), 13, 'min')).toEqual({ source: 'absent' });
    expect(parameterOf(node('Squeeze', ['x'], ['y']), 13, 'axes')).toEqual({ source: 'absent' });
    expect(parameterOf(node('Resize', ['x', 'r', 's'], ['y']), 10, 'sizes')).toEqual({ source: 'absent' });
  });

  it('finds attributes that never moved, and knows nothing of other domains', () => {
    expect(parameterOf(node('Concat', ['x'], ['y'], { axis: ints }), 13, 'axis').source).toBe('attribute');
    const custom = node('Squeeze', ['x', 'a'], ['y'], {}, { domain: 'custom' });
    expect(parameterOf(custom, 13, 'axes')).toEqual({ source: 'absent' });
  });
});

it('inputName is what the documentation says', () => {
  expect(inputName(node('Conv', [], []), 17, 1)).toBe('W');
  expect(inputName(node('Concat', [], []), 17, 2)).toBe('inputs[2]');
  expect(inputName(node('Loop', [], []), 17, 3)).toBe('v_initial[1]');
  expect(inputName(node('Add', [], []), 17, 1)).toBe('B');
  expect(inputName(node('Resize', [], []), 10, 1)).toBe('scales');
  expect(inputName(node('Resize', [], []), 11, 1)).toBe('roi');
  expect(inputName(node('Conv', [], []), 17, 9)).toBe('input 9');
  expect(inputName(node('Conv', [], [], {}, { domain: 'custom' }), 17, 0)).toBe('input 0');
});
