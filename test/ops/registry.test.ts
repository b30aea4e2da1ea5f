import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { axisRules } from '../../src/axes/rules/index.js';
import { gradientRules } from '../../src/gradients/rules/index.js';
import {
  has,
  operandIndex,
  operandOf,
  opOf,
  ops,
  opsIn,
  opsWith,
  qualifiedName,
} from '../../src/ops/index.js';
import { each, family, microsoft } from '../../src/ops/op.js';
import { rewriteRules } from '../../src/rewrite/rules/index.js';
import { node } from '../onnx/build.js';

/** Formal inputs of the default domain's ops, written out from the schemas of onnx 1.23: `Op|inputs`, `…` is variadic. */
const documented = new Map(
  readFileSync(new URL('onnx-inputs.txt', import.meta.url), 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split('|') as [string, string]),
);

describe('the registry', () => {
  it('names inputs as onnx documents them', () => {
    const own = [...ops.values()].filter(({ name }) => documented.has(name));
    expect(own.length).toBeGreaterThan(150);
    for (const { name, inputs } of own)
      expect([name, inputs.join(' ')]).toEqual([name, documented.get(name)]);
  });

  it('holds every op that has a rule', () => {
    for (const rules of [axisRules, gradientRules, rewriteRules])
      expect([...rules.keys()].filter((name) => !ops.has(name))).toEqual([]);
  });

  it('knows every operand among the inputs', () => {
    for (const { name, inputs, operands } of ops.values())
      for (const [operand, index] of Object.entries(operands))
        expect(inputs[index], `${operand} of ${name}`).toBeDefined();
  });

  it('places parameters at ascending opsets', () => {
    for (const { name, parameters = {} } of ops.values())
      for (const places of Object.values(parameters)) {
        const since = places.map(([opset]) => opset);
        expect([name, since]).toEqual([name, since.toSorted((a, b) => a - b)]);
      }
  });

  it('refuses an op that is written down twice', () => {
    expect(() => family({ Relu: {} }, each('Abs Relu', {}))).toThrow("op 'Relu' is written down twice");
    expect(() => each('Abs Abs', {})).toThrow("op 'Abs' is written down twice");
    expect(family(each('Gelu', {}), microsoft(each('Gelu', {})))).toEqual({
      Gelu: {},
      'com.microsoft::Gelu': {},
    });
  });
});

describe('what is asked', () => {
  const conv = node('Conv', ['x', 'w'], ['y']);

  it('never ignores the domain', () => {
    const other = node('Conv', ['x', 'w'], ['y'], {}, { domain: 'custom' });
    expect([qualifiedName(conv), qualifiedName(other)]).toEqual(['Conv', 'custom::Conv']);
    expect([has(conv, 'layer'), has(other, 'layer')]).toEqual([true, false]);
    expect(opOf(other)).toBeUndefined();
    expect(operandIndex(other, 'weight')).toBeUndefined();
  });

  it('is where operands are, and whether they are there', () => {
    expect([operandIndex(conv, 'weight'), operandIndex(conv, 'bias')]).toEqual([1, 2]);
    expect([operandOf(conv, 'weight'), operandOf(conv, 'bias')]).toEqual(['w', undefined]);
    expect(operandIndex(conv, 'variance')).toBeUndefined();
    const normalization = node('BatchNormalization', ['x', 's', 'b', 'm', 'v'], ['y']);
    const operands = ['scale', 'bias', 'mean', 'variance'] as const;
    expect(operands.map((operand) => operandOf(normalization, operand))).toEqual(['s', 'b', 'm', 'v']);
  });

  it('is what ops have in common', () => {
    expect(opsIn('recurrent')).toEqual(['RNN', 'GRU', 'LSTM']);
    expect(opsWith('alias')).toEqual(['Identity']);
    expect(opsWith('random')).toEqual(opsIn('random'));
    expect(has(conv, 'random', 'spatial')).toBe(true);
  });
});
