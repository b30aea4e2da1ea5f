import { emptyNamed } from '../onnx/named.js';
import type { InferenceSession } from 'onnxruntime-common';
import { PruneError } from '../errors.js';
import { encodeModel } from '../onnx/codec.js';
import { untypedInfos, withOutputs } from '../onnx/graph-model.js';
import type { Model, ValueInfo } from '../onnx/model.js';
import type { Tensor } from '../onnx/tensor.js';
import { StringData } from '../onnx/tensor-data.js';
import { fromRuntime, toRuntime } from '../runtime/tensors.js';
import type { Runtime } from '../runtime/runtime.js';

/** A session without optimisation that gives the named values, whether they are outputs or not. */
export async function openSession(
  model: Model,
  names: readonly string[],
  runtime: Runtime,
): Promise<InferenceSession> {
  return runtime.load(encodeModel(withOutputs(model, infosOf(model, names))), { optimization: 'disabled' });
}

export async function runSession(
  session: InferenceSession,
  feeds: ReadonlyMap<string, Tensor>,
  runtime: Runtime,
): Promise<Map<string, Tensor>> {
  const inputs = emptyNamed<InferenceSession.OnnxValueMapType[string]>();
  for (const name of session.inputNames) {
    const tensor = feeds.get(name);
    if (tensor) inputs[name] = toRuntime(runtime, tensor);
  }
  const results = await session.run(inputs);
  return new Map(session.outputNames.map((name) => [name, tensorOf(name, results[name]!)]));
}

function tensorOf(name: string, value: InferenceSession.OnnxValueMapType[string]): Tensor {
  if (value.type !== 'string') return fromRuntime(name, value);
  const encoder = new TextEncoder();
  const strings = (value.data as string[]).map((text) => encoder.encode(text));
  return { name, dtype: 'string', dims: value.dims, data: new StringData(name, strings), docString: '' };
}

/** The pruned model doesn't load or run, which is a finding and not an error. */
export class PrunedModelError extends Error {}

export async function ofPruned<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof PruneError && error.code === 'runtime')
      throw new PrunedModelError(error.message, { cause: error });
    throw error;
  }
}

/** @throws PruneError `runtime` that tells which inputs the original doesn't run on, unless they were a trial. */
export async function runOriginal(
  session: InferenceSession,
  feeds: ReadonlyMap<string, Tensor>,
  runtime: Runtime,
  isTrial: boolean,
): Promise<Map<string, Tensor> | undefined> {
  try {
    return await runSession(session, feeds, runtime);
  } catch (cause) {
    if (!(cause instanceof PruneError) || cause.code !== 'runtime') throw cause;
    if (isTrial) return undefined;
    const inputs = [...feeds].map(([name, { dims }]) => `${name}[${dims.join(', ')}]`).join(', ');
    throw new PruneError(
      'runtime',
      `the original model doesn't run on ${inputs} (${cause.message}); give other sizes with --shape`,
      { cause },
    );
  }
}

/** As the model declares them; onnxruntime infers the types of the rest. */
function infosOf({ graph }: Model, names: readonly string[]): ValueInfo[] {
  const declared = new Map(graph.outputs.map((info) => [info.name, info]));
  return names.map((name) => declared.get(name) ?? untypedInfos([name])[0]!);
}

/** Splits names into runs whose values take at most `limit` bytes together (a single larger value gets its own). */
export function chunks(
  names: readonly string[],
  bytesOf: (name: string) => number,
  limit: number,
): string[][] {
  const out: string[][] = [];
  let used = Infinity;
  for (const name of names) {
    const bytes = bytesOf(name);
    if (used + bytes > limit) {
      out.push([]);
      used = 0;
    }
    out.at(-1)!.push(name);
    used += bytes;
  }
  return out;
}
