import { occurrencesOf } from '../axes/positions.js';
import type { DataSource } from '../data/batch.js';
import type { Grouping, Member, PruningGroup } from '../groups/group.js';
import { opsetOf } from '../onnx/domain.js';
import type { Model } from '../onnx/model.js';
import { GraphBuilder } from '../ops/build.js';
import type { Runtime } from '../runtime/runtime.js';
import { denseValues } from './dense-values.js';
import { splitSharedWeights } from './shared-weights.js';

export interface MomentOptions {
  readonly runtime: Runtime;
  readonly data: DataSource;
  readonly signal?: AbortSignal | undefined;
  readonly onBatch?: ((examples: number) => void) | undefined;
}

/** A member's channels on a value that its node reads. */
export interface ChannelRead {
  readonly group: PruningGroup;
  readonly member: Member;
  readonly value: string;
  readonly axis: number;
  readonly rank: number;
  /** Positions on the axis that belong to the group, and the channel of each. */
  readonly positions: Int32Array;
  readonly channels: Int32Array;
}

/** Undefined where the value has no axis with the group's channels. */
export function readOf(
  { analysis }: Grouping,
  group: PruningGroup,
  member: Member,
  input: number,
): ChannelRead | undefined {
  const value = analysis.model.graph.nodes[member.parameter.node]!.inputs[input]!;
  const axes = analysis.axes.get(value) ?? [];
  for (const [axis, expression] of axes.entries()) {
    const found = occurrencesOf(analysis.system, expression).get(group.factor);
    if (found) return { group, member, value, axis, rank: axes.length, ...found };
  }
  return undefined;
}

/** Mean and variance at each position of an axis. */
export interface Moments {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
}

/**
 * Mean and variance of every read at each position of its axis, over examples and all other axes. onnxruntime takes the
 * moments of each batch, centred on that batch; here they are merged (Chan et al., 1979), so nothing cancels.
 * @throws PruneError `invalid-data` without examples, `runtime`, `aborted`.
 */
export async function channelMoments(
  grouping: Grouping,
  reads: readonly ChannelRead[],
  { runtime, data, signal, onBatch }: MomentOptions,
): Promise<Map<ChannelRead, Moments>> {
  if (reads.length === 0) return new Map();
  const running = new Map(reads.map((read) => [keyOf(read), new RunningMoments()]));
  const model = momentsModel(grouping, reads);
  const names = [...running.keys()].flatMap((key) => [`${key}/mean`, `${key}/variance`]);
  let examples = 0;
  for await (const { found, valid } of denseValues(model, names, { data, runtime, signal })) {
    for (const [key, moments] of running)
      moments.merge(found[`${key}/mean`]!.data as Float32Array, found[`${key}/variance`]!.data as Float32Array, valid); // prettier-ignore
    examples += valid;
    onBatch?.(examples);
  }
  const results = new Map([...running].map(([key, moments]) => [key, moments.result()]));
  return new Map(reads.map((read) => [read, results.get(keyOf(read))!]));
}

const keyOf = ({ value, axis }: ChannelRead): string => `moments/${axis}/${value}`;

/** The model with nodes for the moments of the values. */
function momentsModel(grouping: Grouping, reads: readonly ChannelRead[]): Model {
  // The grouping may hold other weights than the model.
  const { model, tensors } = splitSharedWeights(grouping, grouping.groups);
  const { graph } = model;
  let count = 0;
  const build = new GraphBuilder(opsetOf(model), (hint) => `moments/${hint}/${count++}`);
  const done = new Set<string>();
  for (const read of reads) {
    const name = keyOf(read);
    if (done.has(name)) continue;
    done.add(name);
    const others = Array.from({ length: read.rank }, (_, i) => i).filter((i) => i !== read.axis);
    // Sums of half precision overflow.
    const value = build.cast(read.value, 'float32');
    const centred = build.sub(value, build.reduce('mean', value, others, true));
    build.reduce('mean', value, others, false, `${name}/mean`);
    build.reduce('mean', build.mul(centred, centred), others, false, `${name}/variance`);
  }
  const initializers = graph.initializers.map((tensor) => tensors.get(tensor.name) ?? tensor);
  return {
    ...model,
    graph: {
      ...graph,
      nodes: [...graph.nodes, ...build.nodes],
      initializers: [...initializers, ...build.initializers],
    },
  };
}

/** Mean and variance over batches of different sizes. */
class RunningMoments {
  private weight = 0;
  private mean = new Float64Array();
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

  result(): Moments {
    return { mean: this.mean, variance: this.squares.map((sum) => sum / this.weight) };
  }
}
