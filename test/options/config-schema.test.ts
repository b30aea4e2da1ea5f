import { toJsonSchema } from '@valibot/to-json-schema';
import { join } from 'node:path';
import { format } from 'prettier';
import { expect, it } from 'vitest';
import { configOptions } from '../../src/options/config.js';
import type { Option } from '../../src/options/option.js';
import { root } from '../cli/run.js';

const options = Object.entries<Option>(configOptions);

/** What the schema says of one option: its form, its help and its default. */
function propertyOf({ schema, help, default: value, otherwise }: Option): object {
  const { $schema: _, ...form } = withoutCode({ ...toJsonSchema(schema, { errorMode: 'ignore' }) });
  const isJson = value !== undefined && typeof value !== 'object';
  return {
    description: otherwise === undefined ? help : `${help} (default: ${otherwise})`,
    ...form,
    ...(isJson && { default: value }),
  };
}

type Form = Readonly<Record<string, unknown>>;

/** Without the choices that JSON can't say, which come out as `{}` and would allow anything. */
function withoutCode(form: Form): Form {
  const entries = Object.entries(form).map(([key, value]): [string, unknown] => {
    if (Array.isArray(value))
      return [
        key,
        (value as unknown[]).filter(isSaid).map((item) => (isForm(item) ? withoutCode(item) : item)),
      ];
    return [key, isForm(value) ? withoutCode(value) : value];
  });
  return Object.fromEntries(entries);
}

function isForm(value: unknown): value is Form {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSaid(value: unknown): boolean {
  return !isForm(value) || Object.keys(value).length > 0;
}

it('config.schema.json describes what a configuration file can hold', async () => {
  const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Options of onnx-prune',
    description: 'For prune --config FILE.',
    type: 'object',
    properties: {
      $schema: { type: 'string', description: 'Where this schema is.' },
      ...Object.fromEntries(options.map(([name, option]) => [name, propertyOf(option)])),
    },
    additionalProperties: false,
  };
  const text = await format(JSON.stringify(schema), { parser: 'json', printWidth: 110 });
  await expect(text).toMatchFileSnapshot(join(root, 'config.schema.json'));
});

it('has the form of every value, and nothing that only a program can give', () => {
  const names = options.map(([name]) => name);
  expect(names).toEqual(expect.arrayContaining(['ratio', 'budget', 'data', 'reconstruct', 'loss', 'steps']));
  for (const name of ['signal', 'onProgress', 'runtime', 'latencyCache', 'weightSums'])
    expect(names).not.toContain(name);
  const text = JSON.stringify(options.map(([, option]) => propertyOf(option)));
  expect(text).not.toMatch(/"anyOf":\[[^\]]*\{\}/);
  const { steps } = configOptions;
  expect(toJsonSchema(steps.schema)).toMatchObject({ type: 'integer', minimum: 1, maximum: 1000 });
});
