/**
 * An oracle for op rules that shares nothing with `verify`: a model of one op whose graph inputs may be pruned too.
 * The dense op, run on inputs that are zero at removed positions, must give at the kept positions what the rewritten
 * op gives on inputs without them.
 */
import { coupleAxes, type AxisCoupling } from '../../src/axes/couple.js';
import type { Axis, Factor } from '../../src/axes/axis.js';
import { findConstants } from '../../src/ops/constants.js';
import { keepMask } from '../../src/axes/project.js';
import type { Attribute, AttributeValue, Model, Node, ValueInfo } from '../../src/onnx/model.js';
import { elementCount, type Tensor } from '../../src/onnx/tensor.js';
import { encodeModel } from '../../src/onnx/codec.js';
import { floatTensor, integersOf, integerTensor, floatsOf } from '../../src/onnx/values.js';
import { normal, randomGenerator, type RandomGenerator } from '../../src/random/random.js';
import { rewriteModel } from '../../src/rewrite/rewrite.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { fromRuntime, toRuntime } from '../../src/runtime/tensors.js';
import { inferShapes } from '../../src/shapes/shapes.js';

export type ElementType = 'float32' | 'bool' | 'int32' | 'int64' | 'uint8' | 'int8' | 'uint32';

/** An operand: a graph input (`x`) or an initializer (`w`); with values, else random ones. */
export interface Operand {
  readonly kind: 'x' | 'w';
  readonly dims: readonly number[];
  readonly dtype?: ElementType;
  readonly values?: readonly number[];
  /** Random values are positive, as variances are. */
  readonly positive?: boolean;
}

export interface OpCase {
  readonly op: string;
  readonly domain?: string;
  readonly opset: number;
  readonly operands: readonly (Operand | undefined)[];
  readonly attributes?: Readonly<Record<string, number | readonly number[] | string | { float: number }>>;
  readonly outputs?: number;
  /** What stands at removed positions of graph inputs. Default 0. */
  readonly fill?: number;
  /** Axes of initializers to zero too, since the op contracts them with something that isn't an input. */
  readonly zeroed?: readonly (readonly [input: number, axis: number])[];
  /** A reference in plain TypeScript, for ops that take statistics: the whole first output from the inputs and kept masks. */
  readonly reference?: (
    inputs: readonly (NumberTensor | undefined)[],
    masks: readonly Uint8Array[],
    /** Kept masks of any other input. */
    masksOf: (input: number) => readonly Uint8Array[],
  ) => number[];
}

export interface NumberTensor {
  readonly dims: readonly number[];
  readonly values: readonly number[];
}

export const x = (dims: readonly number[], more: Partial<Operand> = {}): Operand => ({
  kind: 'x',
  dims,
  ...more,
});
export const w = (dims: readonly number[], more: Partial<Operand> = {}): Operand => ({
  kind: 'w',
  dims,
  ...more,
});
export const ints = (values: readonly number[], dtype: ElementType = 'int64'): Operand => ({
  kind: 'w',
  dims: [values.length],
  dtype,
  values,
});

export interface Outcome {
  /** Free factors that lost something. */
  readonly pruned: number;
  /** What differs, undefined if nothing does. */
  readonly problem: string | undefined;
}

/** Removes random indices of the free factors of a one-op model and compares. */
export async function checkCase(opCase: OpCase, seed: string, runtime: Runtime): Promise<Outcome> {
  const random = randomGenerator(seed);
  const tensors = opCase.operands.map((operand, i) => operand && makeTensor(`i${i}`, operand, random));
  const model = oneOpModel(opCase, tensors);
  const shapes = await inferShapes(model, runtime);
  const constants = findConstants(model.graph);
  const analysis = coupleAxes(
    model,
    {
      shapeOf: (value) => shapes.of(value),
      numbersOf: (value) => {
        const tensor = constants.get(value)?.tensor;
        return tensor && numbers(tensor);
      },
    },
    { allowIo: () => true },
  );
  const masks = randomMasks(analysis, random);
  if (masks.size === 0) return { pruned: 0, problem: undefined };
  const { model: pruned, shapeOf } = await rewriteModel({
    analysis,
    masks,
    shapeOf: (value) => shapes.of(value),
    runtime,
  });
  const maskOf = (axes: readonly Axis[]): Uint8Array[] =>
    axes.map((axis) => keepMask(analysis.system, axis, masks));
  const axesOf = (input: number): readonly Axis[] =>
    analysis.parameters.find((use) => use.input === input)?.axes ?? analysis.axes.get(`i${input}`) ?? [];

  const isInput = (i: number): boolean => opCase.operands[i]?.kind === 'x';
  const fill = opCase.fill ?? 0;
  const denseFeeds: Tensor[] = [];
  const prunedFeeds: Tensor[] = [];
  tensors.forEach((tensor, i) => {
    if (!tensor || !isInput(i)) return;
    const kept = maskOf(axesOf(i));
    denseFeeds.push(filled(tensor, kept, fill));
    prunedFeeds.push(take(tensor, kept));
  });
  const zeroedTensors = tensors.map((tensor, i) => {
    const axes = (opCase.zeroed ?? []).filter(([input]) => input === i).map(([, axis]) => axis);
    if (!tensor || axes.length === 0) return tensor;
    const kept = maskOf(axesOf(i)).map((mask, axis) => (axes.includes(axis) ? mask : mask.map(() => 1)));
    return filled(tensor, kept, 0);
  });
  const isReferred = (output: number): boolean => opCase.reference !== undefined && output === 0;
  const expected = model.graph.outputs.every((_, output) => isReferred(output))
    ? undefined
    : await runModel(oneOpModel(opCase, zeroedTensors), denseFeeds, runtime);
  const got = await runModel(pruned, prunedFeeds, runtime);
  for (const [k, name] of model.graph.outputs.map((info) => info.name).entries()) {
    const result = got.get(name)!;
    // A size that depends on data is no factor's, so nothing goes from it.
    const kept = maskOf(analysis.axes.get(name)!).map((mask, axis) =>
      Number.isNaN(analysis.axes.get(name)![axis]!.size) ? new Uint8Array(result.dims[axis]!).fill(1) : mask,
    );
    const full = isReferred(k)
      ? floatTensor(
          name,
          opCase.reference!(tensors.map(asNumbers), maskOf(axesOf(0)), (input) => maskOf(axesOf(input))),
          shapes.of(name) as readonly number[],
        )
      : expected!.get(name)!;
    const want = take(full, kept);
    if (result.dims.join() !== want.dims.join())
      return failed(masks, `output ${k} has shape [${result.dims.join()}], not [${want.dims.join()}]`);
    const predicted = shapeOf(name);
    if (!predicted?.every((dim, axis) => dim === undefined || dim === want.dims[axis]))
      return failed(masks, `output ${k} was predicted as [${predicted?.join()}], not [${want.dims.join()}]`);
    // Statistics over one or two elements have a variance near 0, where float32 loses digits.
    const problem = differs(numbers(result), numbers(want), opCase.reference ? 1e-3 : 2e-5);
    if (problem) return failed(masks, `output ${k} ${problem}`);
  }
  return { pruned: masks.size, problem: undefined };
}

function failed(masks: ReadonlyMap<Factor, Uint8Array>, problem: string): Outcome {
  const text = [...masks].map(([factor, mask]) => `f${factor.id}=${mask.join('')}`).join(' ');
  return { pruned: masks.size, problem: `${problem} (kept ${text})` };
}

function differs(got: readonly number[], want: readonly number[], tolerance: number): string | undefined {
  const scale = want.reduce((max, v) => (Math.abs(v) < Infinity ? Math.max(max, Math.abs(v)) : max), 1e-3);
  for (let i = 0; i < want.length; i++) {
    const [a, b] = [got[i]!, want[i]!];
    if (Object.is(a, b) || a === b) continue;
    if (!(Math.abs(a - b) <= tolerance * scale)) return `is ${a} instead of ${b} at ${i}`;
  }
  return undefined;
}

function randomMasks(analysis: AxisCoupling, random: RandomGenerator): Map<Factor, Uint8Array> {
  const masks = new Map<Factor, Uint8Array>();
  const all = [...analysis.axes.values(), ...analysis.parameters.map(({ axes }) => axes)].flat();
  for (const factor of new Set(all.flatMap((axis) => analysis.system.leaves(axis)))) {
    if (factor.blocker || !(factor.size > 1) || random() < 0.3) continue;
    const mask = Uint8Array.from({ length: factor.size }, () => (random() < 0.5 ? 0 : 1));
    mask[Math.floor(random() * factor.size)] = 1;
    if (mask.includes(0)) masks.set(factor, mask);
  }
  return masks;
}

function makeTensor(name: string, operand: Operand, random: RandomGenerator): Tensor {
  const { dims, dtype = 'float32', values, positive } = operand;
  const count = elementCount(dims);
  if (dtype === 'float32') {
    const draw = (): number => (positive ? 0.5 + random() : normal(random));
    return floatTensor(name, values ?? Array.from({ length: count }, draw), dims);
  }
  const bound = dtype === 'bool' ? 2 : 5;
  const list = values ?? Array.from({ length: count }, () => Math.floor(random() * bound));
  return integerTensor(name, list, dims, dtype);
}

function oneOpModel(opCase: OpCase, tensors: readonly (Tensor | undefined)[]): Model {
  const { op, domain = '', opset, operands, attributes = {}, outputs = 1 } = opCase;
  const node: Node = {
    name: op,
    opType: op,
    domain,
    inputs: operands.map((operand, i) => (operand ? `i${i}` : '')),
    outputs: Array.from({ length: outputs }, (_, i) => `o${i}`),
    attributes: new Map(
      Object.entries(attributes).map(([name, value]) => [name, attribute(name, value)] as const),
    ),
    docString: '',
  };
  const inputs = tensors.flatMap((tensor, i): ValueInfo[] => {
    if (!tensor || operands[i]?.kind !== 'x') return [];
    const shape = tensor.dims.map((value) => ({ value, denotation: '' }));
    return [
      {
        name: tensor.name,
        docString: '',
        type: { kind: 'tensor', dtype: tensor.dtype, shape, denotation: '' },
      },
    ];
  });
  return {
    irVersion: 9,
    opsets: new Map([['', opset], ...(domain ? [[domain, 1] as const] : [])]),
    opsetImports: [{ domain: '', version: opset }, ...(domain ? [{ domain, version: 1 }] : [])],
    producerName: '',
    producerVersion: '',
    domain: '',
    modelVersion: 0n,
    docString: '',
    metadata: [],
    functions: [],
    trainingInfo: [],
    graph: {
      name: 'one op',
      docString: '',
      nodes: [node],
      initializers: tensors.filter((t, i): t is Tensor => t !== undefined && operands[i]?.kind === 'w'),
      sparseInitializers: [],
      inputs,
      outputs: node.outputs.map((name) => ({ name, docString: '', type: undefined })),
      valueInfos: [],
      quantizationAnnotations: [],
    },
  };
}

function attribute(name: string, given: NonNullable<OpCase['attributes']>[string]): Attribute {
  const value: AttributeValue =
    typeof given === 'number'
      ? { type: 'int', value: BigInt(given) }
      : typeof given === 'string'
        ? { type: 'string', value: new TextEncoder().encode(given) }
        : Array.isArray(given)
          ? { type: 'ints', value: (given as readonly number[]).map(BigInt) }
          : { type: 'float', value: (given as { float: number }).float };
  return { name, docString: '', reference: '', ...value };
}

async function runModel(
  model: Model,
  feeds: readonly Tensor[],
  runtime: Runtime,
): Promise<Map<string, Tensor>> {
  const session = await runtime.load(encodeModel(model), { optimization: 'disabled', threads: 1 });
  try {
    const inputs = Object.fromEntries(feeds.map((tensor) => [tensor.name, toRuntime(runtime, tensor)]));
    const results = await session.run(inputs);
    return new Map(Object.entries(results).map(([name, value]) => [name, fromRuntime(name, value)]));
  } finally {
    await session.release();
  }
}

function numbers(tensor: Tensor): number[] {
  return tensor.dtype === 'float32' ? [...floatsOf(tensor)] : integersOf(tensor);
}

const asNumbers = (tensor: Tensor | undefined): NumberTensor | undefined =>
  tensor && { dims: tensor.dims, values: numbers(tensor) };

/** Whether each element of a tensor is kept on all axes. */
export function keptElements(dims: readonly number[], masks: readonly Uint8Array[]): boolean[] {
  return Array.from({ length: elementCount(dims) }, (_, index) => {
    let rest = index;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      if (!masks[axis]![rest % dims[axis]!]) return false;
      rest = Math.floor(rest / dims[axis]!);
    }
    return true;
  });
}

function take(tensor: Tensor, masks: readonly Uint8Array[]): Tensor {
  const kept = keptElements(tensor.dims, masks);
  const dims = masks.map((mask) => mask.reduce((sum, bit) => sum + bit, 0));
  return remade(tensor, numbers(tensor).filter((_, i) => kept[i]), dims); // prettier-ignore
}

function filled(tensor: Tensor, masks: readonly Uint8Array[], value: number): Tensor {
  const kept = keptElements(tensor.dims, masks);
  return remade(tensor, numbers(tensor).map((v, i) => (kept[i] ? v : value)), tensor.dims); // prettier-ignore
}

function remade({ name, dtype }: Tensor, values: readonly number[], dims: readonly number[]): Tensor {
  return dtype === 'float32' ? floatTensor(name, values, dims) : integerTensor(name, values, dims, dtype);
}
