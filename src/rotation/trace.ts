import type { AxisCoupling } from '../axes/couple.js';
import { findConstants } from '../ops/constants.js';
import { encodeModel } from '../onnx/codec.js';
import type { Model, Node } from '../onnx/model.js';
import { elementCount, type Tensor } from '../onnx/tensor.js';
import { floatTensor, integerTensor } from '../onnx/values.js';
import { has, operandIndex } from '../ops/index.js';
import { asIdentity } from '../ops/nodes.js';
import type { FollowedLayer } from '../layers/find.js';
import type { Runtime } from '../runtime/runtime.js';
import { evaluateConstants } from '../shapes/evaluate.js';
import { partialModel, sessionInput } from '../shapes/session-model.js';
import type { Shapes } from '../shapes/shapes.js';
import type { Flow } from '../rotation/flow.js';

export interface TraceContext {
  readonly analysis: AxisCoupling;
  readonly shapes: Shapes;
  readonly runtime: Runtime;
}

/**
 * Which row of a layer's weight every element of a value comes from; -1 where it comes from none, less where rows
 * were mixed.
 */
export interface Trace {
  readonly dims: readonly number[];
  readonly rows: Int32Array;
}

/**
 * Follows the rows of one writer through a flow by running it: every element of the writer's output is its row's number,
 * and whatever else the nodes read is neutral. Undefined where sizes are unknown or rows don't stay apart.
 * @param wanted values of the flow
 */
export async function traceRows(
  flow: Flow,
  writer: FollowedLayer,
  wanted: readonly string[],
  context: TraceContext,
): Promise<ReadonlyMap<string, Trace> | undefined> {
  const { shapes, runtime } = context;
  const model = await traceModel(flow, writer, wanted, context);
  const dims = knownDims(shapes, writer.y);
  if (!model || !dims) return undefined;
  const session = await runtime.load(encodeModel(model), { optimization: 'disabled', threads: 1 });
  try {
    const feeds = session.inputNames.includes(writer.y)
      ? { [writer.y]: runtime.tensor('float32', numbered(dims, channelAxis(writer, dims)), dims) }
      : {};
    const results = { ...feeds, ...(await session.run(feeds)) };
    const traces = new Map<string, Trace>();
    for (const value of wanted) {
      const { data, dims } = results[value]!;
      const rows = Int32Array.from(data as Float32Array, (row) => {
        const number = Math.round(row);
        return Math.abs(row - number) < 1e-2 ? number - 1 : mixed;
      });
      traces.set(value, { dims, rows });
    }
    return traces;
  } finally {
    await session.release();
  }
}

/** In place of a row where several were mixed. */
const mixed = -2;

/** The axis of a layer's input and output that its weight contracts and makes. */
export function channelAxis({ kind }: FollowedLayer, dims: readonly number[]): number {
  return kind === 'conv' ? 1 : dims.length - 1;
}

/** Position on the axis, counted from 1: zero says that an element comes from elsewhere. */
function numbered(dims: readonly number[], axis: number): Float32Array {
  const inner = elementCount(dims.slice(axis + 1));
  return Float32Array.from(
    { length: elementCount(dims) },
    (_, i) => (Math.floor(i / inner) % dims[axis]!) + 1,
  );
}

function knownDims(shapes: Shapes, value: string): readonly number[] | undefined {
  const dims = shapes.of(value);
  return dims?.every((dim) => dim !== undefined) ? dims : undefined;
}

/** The nodes that a flow passes, with neutral operands; undefined where a size is unknown. */
async function traceModel(
  flow: Flow,
  writer: FollowedLayer,
  wanted: readonly string[],
  { analysis, shapes, runtime }: TraceContext,
): Promise<Model | undefined> {
  const { model } = analysis;
  const sources = findConstants(model.graph);
  const carried = new Set(flow.passes.flatMap((index) => model.graph.nodes[index]!.outputs));
  for (const { y } of flow.writers) carried.add(y);
  const constants = new Map<string, Tensor>();
  const neutral = (
    name: string,
    dims: readonly number[] | undefined,
    fill: (i: number) => number,
  ): boolean => {
    if (!dims) return false;
    const values = Float32Array.from({ length: elementCount(dims) }, (_, i) => fill(i));
    constants.set(name, floatTensor(name, values, dims));
    return true;
  };
  const dimsOf = (value: string): readonly number[] | undefined =>
    sources.get(value)?.tensor.dims ?? knownDims(shapes, value);
  for (const { y } of flow.writers) if (y !== writer.y && !neutral(y, dimsOf(y), () => 0)) return undefined;

  const nodes: Node[] = [];
  const operands = flow.passes.flatMap((index) => model.graph.nodes[index]!.inputs.slice(1));
  const bounds = await evaluateConstants(model, runtime, (value) => shapes.of(value), operands);
  for (const index of flow.passes) {
    const node = model.graph.nodes[index]!;
    if (operandIndex(node, 'mean') !== undefined) {
      nodes.push(asIdentity(node, node.inputs[0]!));
      continue;
    }
    const inputs: string[] = [];
    for (const [i, value] of node.inputs.entries()) {
      if (value === '' || carried.has(value)) {
        inputs.push(value);
        continue;
      }
      const name = `${value}::${index}:${i}`;
      inputs.push(name);
      const dims = dimsOf(value);
      if (has(node, 'reshapes', 'expands')) {
        const target = knownDims(shapes, node.outputs[0]!);
        if (!target) return undefined;
        constants.set(name, integerTensor(name, target));
      } else if (has(node, 'adds')) {
        if (!neutral(name, dims, () => 0)) return undefined;
      } else if (has(node, 'scales')) {
        if (!neutral(name, dims, () => 1)) return undefined;
      } else if (has(node, 'multiplies')) {
        // Whatever it mixes, what it mixes comes from one row: the first stands for all.
        const width = dims?.at(-1) ?? 1;
        const isFirst =
          i === 0
            ? (at: number) => at % width === 0
            : (at: number) => Math.floor(at / width) % dims!.at(-2)! === 0;
        if (!neutral(name, dims, (at) => Number(isFirst(at)))) return undefined;
      } else {
        const bound = bounds.get(value);
        if (!bound) return undefined;
        constants.set(name, { ...bound, name });
      }
    }
    nodes.push({ ...node, inputs });
  }
  const isFed = nodes.some(({ inputs }) => inputs.includes(writer.y));
  const inputs = isFed ? [sessionInput(writer.y, 'float32', shapes.of(writer.y))] : [];
  const outputs = wanted.filter((value) => value !== writer.y);
  return partialModel(model, nodes, [...constants.values()], inputs, outputs);
}
