import { emptyNamed } from '../onnx/named.js';
import { PruneError } from '../errors.js';
import { isFloat } from '../onnx/data-type.js';
import type { Model } from '../onnx/model.js';
import type { Tensor } from '../onnx/tensor.js';
import { floatsOf } from '../onnx/values.js';
import { randomInputs } from '../runtime/inputs.js';
import type { Runtime } from '../runtime/runtime.js';
import { fromRuntime, isFeedable } from '../runtime/tensors.js';
import { inferShapes, type Shapes } from '../shapes/shapes.js';

/** Inputs of one run of the dense model. */
export interface Feed {
  readonly shapes: Shapes;
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** A size of the symbolic dims that was tried out: the original may not run at it, whatever its inputs say. */
  readonly isTrial: boolean;
}

/** @throws PruneError `unsupported` for an input that can't be made up. */
export function randomFeed(runtime: Runtime, shapes: Shapes, seed: number | string, isTrial: boolean): Feed {
  const specs = [...shapes.inputs].map(([name, shape]) => {
    const dtype = shapes.dtypeOf(name);
    if (!isFeedable(dtype))
      throw new PruneError(
        'unsupported',
        `input '${name}' of type ${dtype ?? 'unknown'} can't be made up for the proof; pass --no-verify`,
      );
    return { name, dtype, shape };
  });
  return { shapes, tensors: made(randomInputs(runtime, specs, seed)), isTrial };
}

/** @throws PruneError `invalid-data` for NaN and infinities, which would agree with anything. */
export async function givenFeed(
  model: Model,
  runtime: Runtime,
  given: Readonly<Record<string, Tensor>>,
  signal: AbortSignal | undefined,
): Promise<Feed> {
  const shapes = emptyNamed<readonly number[]>();
  for (const [name, tensor] of Object.entries(given)) {
    shapes[name] = tensor.dims;
    const wrong = isFloat(tensor.dtype) ? floatsOf(tensor).find((x) => !Number.isFinite(x)) : undefined;
    if (wrong !== undefined)
      throw new PruneError(
        'invalid-data',
        `the data for the proof holds ${wrong} in input '${name}'; mend the data, or prove without it`,
      );
  }
  const inferred = await inferShapes(model, runtime, { shapes, signal });
  return { shapes: inferred, tensors: new Map(Object.entries(given)), isTrial: false };
}

export function made(tensors: ReturnType<typeof randomInputs>): Map<string, Tensor> {
  return new Map(Object.entries(tensors).map(([name, tensor]) => [name, fromRuntime(name, tensor)]));
}
