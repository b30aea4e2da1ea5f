/** Files with names and fields that few writers make: they come back as they were. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { decodeModel, encodeModel } from '../../src/onnx/codec.js';
import { textOf, bytesOfEscaped } from '../../src/onnx/utf8.js';
import { canonical } from '../oracles/wire-format.js';

const folder = new URL('../cases/names/', import.meta.url);

it.each(readdirSync(folder))('%s', (name) => {
  const bytes = readFileSync(new URL(name, folder));
  expect(canonical(encodeModel(decodeModel(bytes)))).toEqual(canonical(bytes));
});

it.each<[string, number[], string]>([
  ['plain text', [0x61, 0xc3, 0xa9, 0xf0, 0x9f, 0x98, 0x80], 'aé😀'],
  ['a mark at the start', [0xef, 0xbb, 0xbf, 0x61], '\uFEFFa'],
  ['bytes of another encoding', [0x61, 0xe9, 0x62], 'a\uDCE9b'],
  ['a character that is cut off', [0xe2, 0x82], '\uDCE2\uDC82'],
  ['an overlong form', [0xc0, 0xaf], '\uDCC0\uDCAF'],
  ['a surrogate as three bytes', [0xed, 0xb2, 0x80, 0x62], '\uDCED\uDCB2\uDC80b'],
])('%s is text, and those bytes again', (_, bytes, text) => {
  const read = textOf(Uint8Array.from(bytes));
  expect(read).toBe(text);
  expect([...(bytesOfEscaped(read) ?? new TextEncoder().encode(read))]).toEqual(bytes);
});

it('a file of onnxruntime in its own format is named as such', () => {
  const bytes = Uint8Array.from([0x1c, 0, 0, 0, ...new TextEncoder().encode('ORTM'), 0, 0, 0, 0]);
  expect(() => decodeModel(bytes)).toThrow(/own format \(\.ort\)/);
});
