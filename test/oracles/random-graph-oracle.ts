/**
 * The oracle of the fuzzer, independent of `src/verify` and of the roles that rules give: it only asks which positions
 * of every axis stay. In the dense graph whatever a node reads is set to zero at removed positions, whether the node
 * contracts them or not, so no role can be wrong unseen. Zero by Where and not by Mul, since removed positions may hold
 * infinities. Nodes that take statistics are given the kept positions only, gathered, and their results are scattered
 * back: no formula of masked statistics is needed. Then every float value must hold at kept positions what the pruned
 * model computes. Masked statistics and roles are what `src/verify` adds, and it is run on the same graphs.
 */
import type { Axis } from '../../src/axes/axis.js';
import type { AxisCoupling } from '../../src/axes/couple.js';
import { findConstants } from '../../src/ops/constants.js';
import { isTouched, keepMask, type KeptMasks } from '../../src/axes/project.js';
import { intAttribute, withAttribute } from '../../src/onnx/attributes.js';
import { encodeModel } from '../../src/onnx/codec.js';
import type { DataType } from '../../src/onnx/data-type.js';
import type { Model, Node } from '../../src/onnx/model.js';
import { elementCount, type Tensor } from '../../src/onnx/tensor.js';
import { floatsOf, floatTensor, integersOf, integerTensor } from '../../src/onnx/values.js';
import { normal, randomGenerator } from '../../src/random/random.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { fromRuntime, toRuntime } from '../../src/runtime/tensors.js';
import type { Shapes } from '../../src/shapes/shapes.js';
import { node as makeNode } from '../shapes/build-model.js';
import { keptElements } from './single-op.js';

/** Ops that would see removed positions however they are filled. */
const statistics = new Set(
  `ReduceMean ReduceMax ReduceMin LayerNormalization RMSNormalization SimplifiedLayerNormalization
   InstanceNormalization GroupNormalization MeanVarianceNormalization SkipLayerNormalization
   SkipSimplifiedLayerNormalization EmbedLayerNormalization GatedRMSNorm`.split(/\s+/),
);

export interface OracleInput {
  readonly analysis: AxisCoupling;
  readonly masks: KeptMasks;
  readonly pruned: Model;
  readonly shapes: Shapes;
  readonly runtime: Runtime;
}

/** The first value that differs, in words; undefined if all agree on at least one of three random inputs. */
export async function compareWithZeroed(input: OracleInput): Promise<{
  readonly problem: string | undefined;
  readonly compared: number;
}> {
  const { analysis, shapes, pruned, runtime } = input;
  const zeroed = new Zeroing(input).model();
  const names = comparedValues(analysis.model, pruned, shapes);
  const [dense, after] = await Promise.all([open(zeroed, names, runtime), open(pruned, names, runtime)]);
  try {
    let problem: string | undefined;
    // Rounding may tip a decision (TopK, a comparison) for some input, but a wrong rule is wrong for nearly all.
    for (let attempt = 0; attempt < 3; attempt++) {
      const feeds = randomFeeds(shapes, attempt);
      const sliced = feeds.map((tensor) =>
        take(tensor, masksOf(input, analysis.axes.get(tensor.name), tensor.dims)),
      );
      const want = await run(dense, feeds, runtime);
      const got = await run(after, sliced, runtime);
      problem = firstDifference(input, names, want, got);
      if (!problem) break;
    }
    return { problem, compared: names.length };
  } finally {
    await dense.release();
    await after.release();
  }
}

/** Float values that both models compute, and outputs of integers and truth values. */
function comparedValues({ graph }: Model, pruned: Model, shapes: Shapes): string[] {
  const parameters = findConstants(graph);
  const computed = new Set(pruned.graph.nodes.flatMap(({ outputs }) => outputs));
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  return graph.nodes
    .flatMap(({ outputs }) => outputs)
    .filter((name) => {
      const dtype = shapes.dtypeOf(name);
      const isExact = outputs.has(name) && (dtype === 'int64' || dtype === 'bool');
      return name && !parameters.has(name) && computed.has(name) && (dtype === 'float32' || isExact);
    });
}

/**
 * @param dims of the value, where a symbolic dim has another size than the graph was analysed with: what is kept of an
 *   axis is repeated then, the symbolic dim being the outermost one in it
 */
function masksOf(
  { analysis, masks }: OracleInput,
  axes: readonly Axis[] | undefined,
  dims?: readonly (number | undefined)[],
): Uint8Array[] | undefined {
  const { system } = analysis;
  if (!axes?.some((axis) => isTouched(system, axis, masks))) return undefined;
  return axes.map((axis, i) => {
    const kept = keepMask(system, axis, masks);
    const size = dims?.[i] ?? kept.length;
    return kept.length === 0 ? kept : Uint8Array.from({ length: size }, (_, k) => kept[k % kept.length]!);
  });
}

const indicesOf = (mask: Uint8Array): number[] => [...mask.keys()].filter((i) => mask[i]);

class Zeroing {
  private readonly nodes: Node[] = [];
  private readonly tensors: Tensor[] = [];
  private readonly parameterAxes = new Map<string, readonly Axis[]>();
  private count = 0;
  private readonly zeroPoints = new Map<string, string>();
  private readonly constants;

  constructor(private readonly input: OracleInput) {
    for (const { opType, outputs } of input.analysis.model.graph.nodes)
      if (opType === 'DynamicQuantizeLinear') this.zeroPoints.set(outputs[0]!, outputs[2]!);
    this.constants = findConstants(input.analysis.model.graph);
    for (const { node, input: k, axes } of input.analysis.parameters)
      this.parameterAxes.set(`${node}:${k}`, axes);
  }

  model(): Model {
    const { model } = this.input.analysis;
    const { constants } = this;
    model.graph.nodes.forEach((node, index) => {
      const isConstant = node.outputs.length === 1 && constants.has(node.outputs[0]!);
      if (isConstant) this.nodes.push(node);
      else if (statistics.has(node.opType)) this.gathered(node, index);
      else {
        const inputs = node.inputs.map((name, k) => this.zeroed(name, this.axesOf(index, k, name)));
        this.nodes.push({ ...node, inputs });
      }
    });
    const initializers = [...model.graph.initializers, ...this.tensors];
    return { ...model, graph: { ...model.graph, nodes: this.nodes, initializers, valueInfos: [] } };
  }

  private axesOf(node: number, k: number, name: string): readonly Axis[] | undefined {
    return this.parameterAxes.get(`${node}:${k}`) ?? this.input.analysis.axes.get(name);
  }

  private dimsOf(name: string): readonly (number | undefined)[] | undefined {
    return this.constants.get(name)?.tensor.dims ?? this.input.shapes.of(name);
  }

  private dtypeOf(name: string): DataType | undefined {
    return this.constants.get(name)?.tensor.dtype ?? this.input.shapes.dtypeOf(name);
  }

  private zeroed(name: string, axes: readonly Axis[] | undefined): string {
    // A size that depends on data is no factor's: the mask broadcasts over it.
    const kept = masksOf(this.input, axes, this.dimsOf(name))?.map((mask) =>
      mask.length === 0 ? Uint8Array.of(1) : mask,
    );
    if (!name || !kept) return name;
    const dtype = this.dtypeOf(name);
    const condition = this.tensor(
      integerTensor(this.fresh('kept'), keptElements(kept.map((m) => m.length), kept).map(Number), kept.map((m) => m.length), 'bool'), // prettier-ignore
    );
    const output = this.fresh('zeroed');
    let zero = this.fresh('zero');
    if (dtype === 'float32') this.tensor(floatTensor(zero, [0], []));
    // The graphs are quantised around 128, or around what was computed with the value.
    else if (this.zeroPoints.has(name)) zero = this.zeroPoints.get(name)!;
    else if (dtype === 'uint8') this.tensor(integerTensor(zero, [128], [], 'uint8'));
    else if (dtype === 'int64' || dtype === 'int32') this.tensor(integerTensor(zero, [0], [], dtype));
    else return name;
    this.nodes.push(makeNode('Where', [condition, name, zero], [output]));
    return output;
  }

  private gathered(node: Node, index: number): void {
    const [x] = node.inputs;
    const keptOf = (name: string): Uint8Array[] | undefined =>
      name ? masksOf(this.input, this.input.analysis.axes.get(name), this.dimsOf(name)) : undefined;
    const outputs = node.outputs.map((name) => (keptOf(name) ? this.fresh('compact') : name));
    const inputs = node.inputs.map((name, k) =>
      (masksOf(this.input, this.axesOf(index, k, name), this.dimsOf(name)) ?? []).reduce(
        (at, mask, axis) => (mask.includes(0) ? this.gather(at, indicesOf(mask), axis) : at),
        name,
      ),
    );
    const channels = masksOf(this.input, this.axesOf(index, 0, x!), this.dimsOf(x!))?.[1];
    this.nodes.push({ ...withGroups(node, channels), inputs, outputs });
    node.outputs.forEach((name, k) => {
      const kept = keptOf(name);
      if (!kept) return;
      let at = outputs[k]!;
      kept.forEach((mask, axis) => {
        // What stands at removed positions doesn't matter: whoever reads it zeroes it.
        let rank = 0;
        const places = [...mask].map((bit) => (bit ? rank++ : 0));
        if (mask.includes(0)) at = this.gather(at, places, axis);
      });
      this.nodes.push(makeNode('Identity', [at], [name]));
    });
  }

  private gather(value: string, indices: readonly number[], axis: number): string {
    const output = this.fresh('gathered');
    const picked = this.tensor(integerTensor(this.fresh('indices'), indices));
    this.nodes.push(makeNode('Gather', [value, picked], [output], { axis }));
    return output;
  }

  private tensor(tensor: Tensor): string {
    this.tensors.push(tensor);
    return tensor.name;
  }

  private fresh(what: string): string {
    return `oracle_${what}_${this.count++}`;
  }
}

/** Groups of a GroupNormalization go where all of their channels do. */
function withGroups(node: Node, kept: Uint8Array | undefined): Node {
  if (node.opType !== 'GroupNormalization' || !kept) return node;
  const groups = intAttribute(node, 'num_groups', 1);
  const size = kept.length / groups;
  let left = 0;
  for (let g = 0; g < groups; g++) if (kept.subarray(g * size, (g + 1) * size).includes(1)) left++;
  return withAttribute(node, 'num_groups', { type: 'int', value: BigInt(left) });
}

type Session = Awaited<ReturnType<Runtime['load']>>;

function open(model: Model, names: readonly string[], runtime: Runtime): Promise<Session> {
  const outputs = names.map((name) => ({ name, docString: '', type: undefined }));
  const observed = { ...model, graph: { ...model.graph, outputs, valueInfos: [] } };
  return runtime.load(encodeModel(observed), { optimization: 'disabled', threads: 1 });
}

async function run(
  session: Session,
  feeds: readonly Tensor[],
  runtime: Runtime,
): Promise<Map<string, Tensor>> {
  const results = await session.run(
    Object.fromEntries(feeds.map((tensor) => [tensor.name, toRuntime(runtime, tensor)])),
  );
  return new Map(Object.entries(results).map(([name, tensor]) => [name, fromRuntime(name, tensor)]));
}

function randomFeeds(shapes: Shapes, seed: number): Tensor[] {
  const random = randomGenerator(`feeds ${seed}`);
  return [...shapes.inputs].map(
    ([name, dims]) =>
    floatTensor(name, Array.from({ length: elementCount(dims) }, () => normal(random)), dims), // prettier-ignore
  );
}

function take(tensor: Tensor, masks: readonly Uint8Array[] | undefined): Tensor {
  if (!masks) return tensor;
  const kept = keptElements(tensor.dims, masks);
  const values = floatsOf(tensor).filter((_, i) => kept[i]);
  return floatTensor(tensor.name, values, masks.map((mask) => indicesOf(mask).length)); // prettier-ignore
}

/** Relative to the largest value, of this tensor or (with a share, where terms cancel) of those it is computed from. */
const tolerance = 2e-4;
const cancellation = 0.03;
const smallest = 1e-2;

function firstDifference(
  input: OracleInput,
  names: readonly string[],
  want: ReadonlyMap<string, Tensor>,
  got: ReadonlyMap<string, Tensor>,
): string | undefined {
  const scales = new Map<string, number>();
  const readBy = new Map(
    input.analysis.model.graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node])),
  );
  for (const name of names) {
    const node = readBy.get(name)!;
    const full = want.get(name)!;
    // A size that depends on data is no factor's, so nothing goes from it.
    const axes = input.analysis.axes.get(name);
    const masks = masksOf(input, axes, full.dims)?.map((mask, i) =>
      mask.length === 0 ? new Uint8Array(full.dims[i]!).fill(1) : mask,
    );
    if (masks && masks.map((mask) => mask.length).join() !== full.dims.join())
      return `'${name}' (${node.opType}) has shape [${full.dims.join()}] and axes of other sizes`;
    if (full.dtype !== 'float32') {
      const [a, b] = [integersOf(full), integersOf(got.get(name)!)];
      if (a.join() !== b.join())
        return `'${name}' (${node.opType}) is [${b.join()}] instead of [${a.join()}]`;
      continue;
    }
    const [expected, result] = [take(full, masks), got.get(name)!];
    if (expected.dims.join() !== result.dims.join())
      return `'${name}' (${node.opType}) has shape [${result.dims.join()}] instead of [${expected.dims.join()}]`;
    const [a, b] = [floatsOf(expected), floatsOf(result)];
    let scale = Math.max(smallest, ...node.inputs.map((x) => cancellation * (scales.get(x) ?? 0)));
    for (const v of a) if (Math.abs(v) < Infinity) scale = Math.max(scale, Math.abs(v));
    scales.set(name, scale);
    for (let i = 0; i < a.length; i++) {
      if (Object.is(a[i], b[i]) || a[i] === b[i]) continue;
      if (!(Math.abs(a[i]! - b[i]!) <= tolerance * scale))
        return `'${name}' (${node.opType}) is ${b[i]} instead of ${a[i]} at ${i}, of at most ${scale.toPrecision(3)}`;
    }
  }
  return undefined;
}
