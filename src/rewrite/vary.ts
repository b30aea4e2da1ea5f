import { PruneError } from '../errors.js';
import type { Model } from '../onnx/model.js';
import type { Runtime } from '../runtime/runtime.js';
import { inferShapes, type Shapes } from '../shapes/shapes.js';

/**
 * The shapes of a model at another size of its symbolic dims, to tell what depends on them: those pinned to 1
 * become 2; if there are none, the leading ones double.
 * Undefined without symbolic dims, or where the model runs at one size only although its inputs say otherwise.
 */
export async function variedShapes(
  model: Model,
  shapes: Shapes,
  runtime: Runtime,
  signal?: AbortSignal,
): Promise<Shapes | undefined> {
  const inputs = variedInputs(shapes);
  if (!inputs) return undefined;
  try {
    const varied = await inferShapes(model, runtime, { shapes: inputs, signal });
    return varied.unknownOps.length > shapes.unknownOps.length ? undefined : varied;
  } catch (error) {
    if (error instanceof PruneError && error.code !== 'aborted') return undefined;
    throw error;
  }
}

function variedInputs({ inputs, symbolic }: Shapes): Record<string, readonly number[]> | undefined {
  const pinned = [...symbolic].flatMap(([name, axes]) =>
    axes.map((axis) => ({ name, axis, size: inputs.get(name)?.[axis] ?? NaN })),
  );
  const ones = pinned.filter(({ size }) => size === 1);
  const varied = ones.length > 0 ? ones : pinned.filter(({ axis }) => axis === 0);
  if (varied.length === 0) return undefined;
  const out: Record<string, number[]> = {};
  for (const [name, shape] of inputs) out[name] = [...shape];
  for (const { name, axis, size } of varied) out[name]![axis] = 2 * size;
  return out;
}
