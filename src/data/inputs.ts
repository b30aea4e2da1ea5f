import { PruneError } from '../errors.js';
import type { Model } from '../onnx/model.js';
import { elementCount } from '../onnx/tensor.js';
import type { Batch, BatchTensor, ModelInput } from './batch.js';
import { holds, isElementType } from './elements.js';

/**
 * The graph inputs that data must feed: those without an initializer as default.
 * @throws PruneError `unsupported` for inputs that are no tensors of numbers.
 */
export function modelInputs(model: Model): ModelInput[] {
  const initialized = new Set(model.graph.initializers.map(({ name }) => name));
  const inputs: ModelInput[] = [];
  for (const { name, type } of model.graph.inputs) {
    if (initialized.has(name)) continue;
    if (type?.kind !== 'tensor' || !type.shape || !isElementType(type.dtype)) {
      const what =
        type?.kind === 'tensor' ? `${type.dtype} tensor${type.shape ? '' : ' of unknown rank'}` : 'no tensor';
      throw new PruneError(
        'unsupported',
        `input '${name}' is a ${what}; data can feed tensors of numbers only`,
      );
    }
    inputs.push({ name, dtype: type.dtype, dims: type.shape.map(({ value }) => value) });
  }
  return inputs;
}

/** `float32 [batch, 1, 28, 28]`; undefined dims print as `?`. */
export function formatShape(dims: readonly (number | string | undefined)[]): string {
  return `[${dims.map((dim) => dim ?? '?').join(', ')}]`;
}

/**
 * The axis of an input that counts examples: where it has the symbol that another input begins with (a state may be
 * `[2, batch, 128]`), else the first; undefined for scalars, which all examples share.
 */
export function batchAxis({ dims }: ModelInput, inputs: readonly ModelInput[]): number | undefined {
  if (dims.length === 0) return undefined;
  const symbol = inputs.map((input) => input.dims[0]).find((dim) => typeof dim === 'string');
  const axis = symbol === undefined ? -1 : dims.indexOf(symbol);
  return Math.max(axis, 0);
}

/**
 * The batch size that the model fixes (the static first dim of its inputs), undefined where it is free.
 * @throws PruneError `unsupported` where inputs disagree.
 */
export function fixedBatch(inputs: readonly ModelInput[]): number | undefined {
  const batched = inputs.filter((input) => batchAxis(input, inputs) === 0);
  const sizes = new Set(batched.map(({ dims }) => dims[0]).filter((dim) => typeof dim === 'number'));
  if (sizes.size > 1) {
    const shapes = inputs.map(({ name, dims }) => `${name} ${formatShape(dims)}`).join(', ');
    throw new PruneError(
      'unsupported',
      `inputs share no batch axis (${shapes}); pass ready batches through the API`,
    );
  }
  return [...sizes][0];
}

/** The size of batches: the model's, else the asked one, else at most 64 and near a million numbers. */
export function batchSize(
  inputs: readonly ModelInput[],
  exampleElements: number,
  asked: number | undefined,
): number {
  const fixed = fixedBatch(inputs);
  if (fixed !== undefined && asked !== undefined && asked !== fixed) {
    throw new PruneError(
      'invalid-option',
      `invalid batch: ${asked}; the model takes ${fixed} only, leave batch out`,
    );
  }
  return fixed ?? asked ?? Math.max(1, Math.min(64, Math.floor(2 ** 20 / Math.max(1, exampleElements))));
}

/** The input that a format with one array feeds. */
export function onlyInput(inputs: readonly ModelInput[], asked: string | undefined): ModelInput {
  const names = inputs.map(({ name }) => name).join(', ');
  if (asked !== undefined) {
    const found = inputs.find(({ name }) => name === asked);
    if (found) return found;
    throw new PruneError('invalid-option', `unknown input: ${asked}; the model has ${names || 'none'}`);
  }
  if (inputs.length === 1) return inputs[0]!;
  throw new PruneError(
    'invalid-data',
    `the data has one array, the model ${inputs.length} inputs (${names}); give an .npz with these names`,
  );
}

export function shapeMismatch(input: ModelInput, got: readonly number[], remedy: string): PruneError {
  const shapes = `expects ${formatShape(input.dims)}, got ${formatShape(got)}`;
  return new PruneError('invalid-data', `input '${input.name}' ${shapes}; ${remedy}`);
}

/**
 * Checks a batch against the model: names, dtypes, ranks, static dims, equal symbols, lengths, labels.
 * @throws PruneError `invalid-data` naming the input, what it expects and what it got.
 */
export function checkBatch(batch: Batch, inputs: readonly ModelInput[]): void {
  const symbols = new Map<string, number>();
  for (const input of inputs) {
    const tensor = batch.inputs[input.name];
    if (!tensor) throw missingInput(input, Object.keys(batch.inputs));
    checkTensor(tensor, input, symbols);
  }
  for (const name of Object.keys(batch.inputs)) {
    if (inputs.some((input) => input.name === name)) continue;
    const names = inputs.map((input) => input.name).join(', ');
    throw new PruneError(
      'invalid-data',
      `no input '${name}' in the model; name arrays by its inputs (${names})`,
    );
  }
  const { size, valid, labels } = batch;
  if (labels && labels.length !== size) {
    throw new PruneError(
      'invalid-data',
      `${labels.length} labels for a batch of ${size}; give one label an example`,
    );
  }
  if (!(valid >= 1 && valid <= size)) {
    throw new PruneError('invalid-data', `${valid} valid examples in a batch of ${size}; give 1 to ${size}`);
  }
}

export function missingInput(input: ModelInput, given: readonly string[]): PruneError {
  const has = given.length ? `the data has ${given.join(', ')}` : 'the data has none';
  return new PruneError(
    'invalid-data',
    `no data for input '${input.name}', ${has}; name arrays by the model's inputs`,
  );
}

function checkTensor(tensor: BatchTensor, input: ModelInput, symbols: Map<string, number>): void {
  const { dtype, dims, data } = tensor;
  if (dtype !== input.dtype || !holds(data, dtype)) {
    const got = dtype === input.dtype ? data.constructor.name : dtype;
    throw new PruneError(
      'invalid-data',
      `input '${input.name}' expects ${input.dtype}, got ${got}; convert the data`,
    );
  }
  const remedy = 'give data of the shape the model takes';
  if (dims.length !== input.dims.length) throw shapeMismatch(input, dims, remedy);
  input.dims.forEach((expected, axis) => {
    const size = dims[axis]!;
    const known = typeof expected === 'string' ? symbols.get(expected) : expected;
    if (known !== undefined && known !== size) throw shapeMismatch(input, dims, remedy);
    if (typeof expected === 'string') symbols.set(expected, size);
  });
  if (elementCount(dims) !== data.length) {
    const shape = `${formatShape(dims)} needs ${elementCount(dims)} elements, got ${data.length}`;
    throw new PruneError('invalid-data', `input '${input.name}' of shape ${shape}; give all elements`);
  }
}
