import { emptyNamed } from '../onnx/named.js';
import type { AxisCoupling } from '../axes/couple.js';
import { nodeLabel } from '../onnx/names.js';
import { PruneError } from '../errors.js';
import { findConstants } from '../ops/constants.js';
import type { Model } from '../onnx/model.js';
import { predictShapes, type Projection } from '../plan/projection.js';
import type { Runtime } from '../runtime/runtime.js';
import { inferShapes, type Shapes } from '../shapes/shapes.js';
import type { ProofFailure } from './report.js';

/**
 * Static shapes of the pruned model against those that the plan predicts, at the sizes of `dense`.
 * @returns the first that differs, or why onnxruntime doesn't load the model
 */
export async function checkShapes(
  pruned: Model,
  dense: Shapes,
  analysis: AxisCoupling,
  projection: Projection,
  runtime: Runtime,
  signal: AbortSignal | undefined,
): Promise<ProofFailure | undefined> {
  const predicted = predictShapes(analysis, projection, (value) => dense.of(value));
  const shapes = emptyNamed<readonly number[]>();
  for (const name of dense.inputs.keys()) shapes[name] = predicted(name) as readonly number[];
  let actual: Shapes;
  try {
    actual = await inferShapes(pruned, runtime, { shapes, signal });
  } catch (error) {
    if (!(error instanceof PruneError) || error.code === 'aborted') throw error;
    return { kind: 'load', value: '', node: '', op: '', message: error.message };
  }
  const [cut] = actual.unknownOps.slice(dense.unknownOps.length);
  if (cut) return { kind: 'load', value: '', node: cut.node, op: cut.op, message: cut.reason };
  const { graph } = pruned;
  const constants = findConstants(graph);
  for (const [index, node] of graph.nodes.entries())
    for (const value of node.outputs) {
      const want = constants.has(value) ? undefined : predicted(value);
      const got = actual.of(value);
      if (!want || !got || isSame(want, got)) continue;
      const message = `'${value}' has shape [${got.join(', ')}] instead of [${want.join(', ')}]`;
      return { kind: 'shape', value, node: nodeLabel(node, index), op: node.opType, message };
    }
  return undefined;
}

/** Sizes that depend on data are open. */
function isSame(want: readonly (number | undefined)[], got: readonly (number | undefined)[]): boolean {
  return (
    want.length === got.length &&
    want.every((dim, i) => dim === undefined || got[i] === undefined || dim === got[i])
  );
}
