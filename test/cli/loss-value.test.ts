import { describe, expect, it } from 'vitest';
import { loss } from '../../src/cli/loss-value.js';

describe('--loss', () => {
  it('is a name, or a name and the value that it is taken of', () => {
    expect(loss.fromText('kl', undefined)).toBe('kl');
    const inner = { loss: 'squared-norm', output: '/head/Conv=0' };
    expect(loss.fromText('squared-norm=/head/Conv=0', undefined)).toEqual(inner);
    expect(loss.fromJson(inner)).toEqual(inner);
    expect(loss.fromJson({ loss: 'mse', target: 'boxes', axis: 2 })).toEqual({
      loss: 'mse',
      target: 'boxes',
      axis: 2,
    });
  });

  it('says what is wrong', () => {
    expect(() => loss.fromText('hinge', undefined)).toThrow('use one of cross-entropy');
    expect(() => loss.fromText('kl=', undefined)).toThrow('use a text that is not empty');
    expect(() => loss.fromJson({ loss: 'kl', weight: 2 })).toThrow("leave 'weight' out");
    expect(() => loss.fromJson({ loss: 'kl', axis: 'last' })).toThrow('use a whole number as axis');
  });
});
