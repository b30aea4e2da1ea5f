import type { Grouping } from '../groups/group.js';
import { bitsOf } from '../onnx/data-type.js';
import { elementCount } from '../onnx/tensor.js';
import type { CostModel, NodeCost } from './cost.js';

/** What a model costs less without some of its nodes: a tied constant is saved only if all of its readers go. */
export function savingOf({ analysis }: Grouping, cost: CostModel, removed: ReadonlySet<number>): NodeCost {
  const staying = new Set(
    analysis.parameters.filter(({ node }) => !removed.has(node)).map(({ source }) => source.name),
  );
  const gone = cost.counted.filter(({ node, source }) =>
    source.tied ? !staying.has(source.name) : removed.has(node),
  );
  let [macs, parameters, bytes] = [0, 0, 0];
  cost.byNode().forEach((own, node) => (macs += removed.has(node) ? own.macs : 0));
  for (const { source } of gone) {
    const { dims, dtype } = source.tensor;
    parameters += elementCount(dims);
    bytes += (elementCount(dims) * bitsOf(dtype)!) / 8;
  }
  return { macs, parameters, bytes };
}
