import type { AxisCoupling } from '../axes/couple.js';
import type { Dimension, Graph, ValueInfo } from '../onnx/model.js';
import { scaled, type Projection } from '../plan/projection.js';

/** Brings the declared shapes of a rewritten graph up to date; symbolic dims stay symbolic. */
export function refreshValueInfos(graph: Graph, analysis: AxisCoupling, projection: Projection): Graph {
  const initializers = new Map(graph.initializers.map(({ name, dims }) => [name, dims]));
  const values = new Set(graph.nodes.flatMap((node) => node.outputs));
  const refresh = (info: ValueInfo): ValueInfo => {
    const { type } = info;
    if (type?.kind !== 'tensor' || !type.shape) return info;
    const dims = initializers.get(info.name);
    const axes = analysis.axes.get(info.name);
    if (!dims && !projection.isTouched(axes)) return info;
    const shape = type.shape.map((dim, i): Dimension => {
      if (typeof dim.value !== 'number') return dim;
      const value = dims ? dims[i] : axes?.[i] ? scaled(projection.of(axes[i]), dim.value) : dim.value;
      return value === dim.value ? dim : { ...dim, value };
    });
    return { ...info, type: { ...type, shape } };
  };
  const known = (info: ValueInfo): boolean =>
    values.has(info.name) || initializers.has(info.name) || !analysis.axes.has(info.name);
  return {
    ...graph,
    inputs: graph.inputs.map(refresh),
    outputs: graph.outputs.map(refresh),
    valueInfos: graph.valueInfos.filter(known).map(refresh),
  };
}
