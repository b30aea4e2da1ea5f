import { PruneError } from '../errors.js';
import type { Model } from '../onnx/model.js';
import type { Runtime } from '../runtime/runtime.js';
import { inferShapes, type Shapes } from './shapes.js';

/**
 * The shapes of a model at other sizes of its symbolic dims, to tell what depends on them.
 * Undefined without symbolic dims, or where the model runs at one size only although its inputs say otherwise.
 */
export async function variedShapes(
  model: Model,
  shapes: Shapes,
  runtime: Runtime,
  signal?: AbortSignal,
): Promise<Shapes | undefined> {
  if (shapes.symbolic.size === 0) return undefined;
  // A model may take any batch size but only certain image sizes.
  for (const isVaried of [() => true, (axis: number) => axis === 0]) {
    try {
      const varied = await inferShapes(model, runtime, { shapes: variedInputs(shapes, isVaried), signal });
      if (varied.unknownOps.length <= shapes.unknownOps.length) return varied;
    } catch (error) {
      if (!(error instanceof PruneError) || error.code === 'aborted') throw error;
    }
  }
  return undefined;
}

/** Batches of 1 become 2; image sides and lengths grow by a stride that nets usually take, or double. */
function variedInputs(
  { inputs, symbolic }: Shapes,
  isVaried: (axis: number) => boolean,
): Record<string, readonly number[]> {
  const grown = (size: number): number => (size % 32 === 0 ? size + 32 : 2 * size);
  return Object.fromEntries(
    [...inputs].map(([name, shape]) => {
      const free = symbolic.get(name) ?? [];
      return [name, shape.map((size, axis) => (free.includes(axis) && isVaried(axis) ? grown(size) : size))];
    }),
  );
}
