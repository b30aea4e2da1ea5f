import type { Measured } from '../criteria/criterion.js';
import type { MemberActivation } from '../criteria/sensitivity.js';
import { occurrencesOf } from '../criteria/positions.js';
import type { DataSource } from '../data/batch.js';
import { throwIfAborted } from '../errors.js';
import type { Grouping, Member, PruningGroup } from '../groups/group.js';
import { encodeModel } from '../onnx/codec.js';
import { opsetOf } from '../onnx/domain.js';
import type { Attribute, Model, Node } from '../onnx/model.js';
import type { Tensor } from '../onnx/tensor.js';
import { integerTensor } from '../onnx/values.js';
import type { Runtime } from '../runtime/runtime.js';
import { feedsOf } from '../runtime/tensors.js';
import { untieParameters } from './untied.js';

export interface ActivationOptions {
  readonly runtime: Runtime;
  readonly data: DataSource;
  readonly signal?: AbortSignal | undefined;
  readonly onBatch?: ((examples: number) => void) | undefined;
}

/**
 * Mean and variance of every channel that weights contract, over examples and all other axes. onnxruntime takes the
 * moments of each batch, centred on that batch; here they are merged (Chan et al., 1979), so nothing cancels.
 */
export async function measureActivations(
  grouping: Grouping,
  { runtime, data, signal, onBatch }: ActivationOptions,
): Promise<Map<PruningGroup, Measured>> {
  const reads = grouping.groups.flatMap((group) => readsOf(grouping, group));
  const moments = new Map<string, RunningMoments>();
  for (const { value, axis } of reads) moments.set(key(value, axis), new RunningMoments());
  const session = await runtime.load(encodeModel(momentsModel(grouping, reads)));
  let examples = 0;
  try {
    for await (const batch of data) {
      throwIfAborted(signal);
      const found = await session.run(feedsOf(runtime, batch.inputs));
      for (const [name, running] of moments)
        running.merge(found[`${name}/mean`]!.data as Float32Array, found[`${name}/variance`]!.data as Float32Array, batch.valid); // prettier-ignore
      examples += batch.valid;
      onBatch?.(examples);
    }
  } finally {
    await session.release();
  }
  const measured = new Map<PruningGroup, Measured>(
    grouping.groups.map((group) => [group, { activations: [] }]),
  );
  for (const read of reads) {
    const activations = [...(measured.get(read.group)!.activations ?? []), activationOf(read, moments)];
    measured.set(read.group, { activations });
  }
  return measured;
}

/** A weight that contracts a group, and where the channels are on the value it is multiplied with. */
interface Read {
  readonly group: PruningGroup;
  readonly member: Member;
  readonly value: string;
  readonly axis: number;
  readonly rank: number;
  readonly positions: Int32Array;
  readonly channels: Int32Array;
}

const key = (value: string, axis: number): string => `moments/${axis}/${value}`;

function readsOf({ analysis }: Grouping, group: PruningGroup): Read[] {
  const { nodes } = analysis.model.graph;
  return group.members.flatMap((member): Read[] => {
    const { node, input } = member.parameter;
    if (member.role !== 'contract' || input > 1) return [];
    const value = nodes[node]!.inputs[1 - input]!;
    const axes = analysis.axes.get(value);
    if (!axes) return [];
    for (const [axis, expression] of axes.entries()) {
      const found = occurrencesOf(analysis.system, expression).get(group.factor);
      if (found) return [{ group, member, value, axis, rank: axes.length, ...found }];
    }
    return [];
  });
}

/** The model with the moments of the values as its only outputs. */
function momentsModel(grouping: Grouping, reads: readonly Read[]): Model {
  // The grouping may hold other weights than the model.
  const { model, tensors } = untieParameters(grouping, grouping.groups);
  const { graph } = model;
  const nodes: Node[] = [];
  const axesTensors: Tensor[] = [];
  const outputs: string[] = [];
  const opset = opsetOf(model);
  const add = (
    opType: string,
    inputs: readonly string[],
    output: string,
    ints: Readonly<Record<string, number | readonly number[]>> = {},
  ): string => {
    // prettier-ignore
    const attributes = Object.entries(ints).map(([name, value]): [string, Attribute] => [
      name,
      typeof value === 'number'
        ? { name, docString: '', reference: '', type: 'int', value: BigInt(value) }
        : { name, docString: '', reference: '', type: 'ints', value: value.map(BigInt) },
    ]);
    nodes.push({ name: output, opType, domain: '', inputs, outputs: [output], attributes: new Map(attributes), docString: '' }); // prettier-ignore
    return output;
  };
  const mean = (value: string, axes: readonly number[], output: string, keepdims: number): string => {
    if (opset < 18) return add('ReduceMean', [value], output, { axes, keepdims });
    axesTensors.push(integerTensor(`${output}/axes`, axes));
    return add('ReduceMean', [value, `${output}/axes`], output, { keepdims });
  };
  const done = new Set<string>();
  for (const { value, axis, rank } of reads) {
    const name = key(value, axis);
    if (done.has(name)) continue;
    done.add(name);
    const others = Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis);
    const kept = mean(value, others, `${name}/centre`, 1);
    const centred = add('Sub', [value, kept], `${name}/centred`);
    const squares = add('Mul', [centred, centred], `${name}/squares`);
    outputs.push(mean(value, others, `${name}/mean`, 0), mean(squares, others, `${name}/variance`, 0));
  }
  const initializers = graph.initializers.map((tensor) => tensors.get(tensor.name) ?? tensor);
  return {
    ...model,
    graph: {
      ...graph,
      nodes: [...graph.nodes, ...nodes],
      initializers: [...initializers, ...axesTensors],
      outputs: outputs.map((name) => ({ name, docString: '', type: undefined })),
    },
  };
}

/** Mean and variance over batches of different sizes. */
class RunningMoments {
  private weight = 0;
  mean = new Float64Array();
  private squares = new Float64Array();

  merge(mean: ArrayLike<number>, variance: ArrayLike<number>, weight: number): void {
    if (this.weight === 0) {
      this.mean = new Float64Array(mean.length);
      this.squares = new Float64Array(mean.length);
    }
    const total = this.weight + weight;
    for (let i = 0; i < mean.length; i++) {
      const delta = mean[i]! - this.mean[i]!;
      this.mean[i]! += (delta * weight) / total;
      this.squares[i]! += variance[i]! * weight + (delta * delta * this.weight * weight) / total;
    }
    this.weight = total;
  }

  variance(): Float64Array {
    return this.squares.map((sum) => sum / this.weight);
  }
}

/** Moments of a channel that has several positions: those of all of them taken together. */
function activationOf(read: Read, moments: ReadonlyMap<string, RunningMoments>): MemberActivation {
  const { group, member, positions, channels } = read;
  const running = moments.get(key(read.value, read.axis))!;
  const variances = running.variance();
  const mean = new Float64Array(group.size);
  const square = new Float64Array(group.size);
  const count = positions.length / group.size;
  positions.forEach((position, i) => {
    const m = running.mean[position]!;
    mean[channels[i]!]! += m / count;
    square[channels[i]!]! += (variances[position]! + m * m) / count;
  });
  // Exact where the channel has one position.
  const variance = square.map((s, c) => (count === 1 ? 0 : Math.max(0, s - mean[c]! ** 2)));
  if (count === 1) positions.forEach((position, i) => (variance[channels[i]!] = variances[position]!));
  return { member, mean, variance };
}
