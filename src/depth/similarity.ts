import type { DataSource } from '../data/batch.js';
import { PruneError, throwIfAborted } from '../errors.js';
import type { Grouping } from '../groups/group.js';
import { encodeModel } from '../onnx/codec.js';
import { opsetOf } from '../onnx/domain.js';
import { untypedInfos } from '../onnx/graph-model.js';
import type { Model } from '../onnx/model.js';
import { FreshNames } from '../onnx/names.js';
import { GraphBuilder } from '../ops/build.js';
import type { Runtime } from '../runtime/runtime.js';
import { feedsOf } from '../runtime/tensors.js';
import type { Block } from './blocks.js';
import type { Branch } from './branches.js';

export interface SimilarityOptions {
  readonly runtime: Runtime;
  readonly data: DataSource;
  readonly signal?: AbortSignal | undefined;
  /** Called after each batch with the examples so far. */
  readonly onBatch?: ((examples: number) => void) | undefined;
}

/**
 * How much each block changes the stream: 1 − the mean cosine between what enters and what leaves it, in [0, 2]; "block
 * influence", Men et al., "ShortGPT", 2024. The cosine is taken over the channels, and its mean over all positions of
 * all examples; where no axis is known to hold channels, over everything but the first axis. One pass over the data.
 * @throws PruneError `invalid-data` where there are no examples.
 */
export async function similarityScores(
  grouping: Grouping,
  blocks: readonly Block[],
  { runtime, data, signal, onBatch }: SimilarityOptions,
): Promise<Float64Array> {
  const probe = probeModel(grouping, blocks);
  const sums = new Float64Array(blocks.length);
  const counts = new Float64Array(blocks.length);
  const session = await runtime.load(encodeModel(probe.model));
  let examples = 0;
  try {
    for await (const { inputs, size, valid } of data) {
      throwIfAborted(signal);
      const found = await session.run(feedsOf(runtime, inputs));
      probe.outputs.forEach((names, block) => {
        const [products, before, after] = names.map((name) => found[name]!.data as Float32Array) as [
          Float32Array,
          Float32Array,
          Float32Array,
        ];
        // Examples that only fill up a batch come last.
        const positions = Math.floor((products.length * valid) / size);
        for (let i = 0; i < positions; i++) sums[block]! += cosine(products[i]!, before[i]!, after[i]!);
        counts[block]! += positions;
      });
      examples += valid;
      onBatch?.(examples);
    }
  } finally {
    await session.release();
  }
  if (examples === 0) throw new PruneError('invalid-data', 'the data has no examples; give at least one');
  return sums.map((sum, block) => 1 - sum / counts[block]!);
}

/** The cosine from the mean product and mean squares; a position that is zero before and after didn't change. */
function cosine(product: number, before: number, after: number): number {
  if (before === 0 && after === 0) return 1;
  return before === 0 || after === 0 ? 0 : product / Math.sqrt(before * after);
}

/** The model with, for each block, the mean products `xy`, `xx` and `yy` over the channels as its only outputs. */
function probeModel(
  grouping: Grouping,
  blocks: readonly Block[],
): { readonly model: Model; readonly outputs: readonly (readonly string[])[] } {
  const { model } = grouping.analysis;
  const { graph } = model;
  const names = new FreshNames(graph);
  const build = new GraphBuilder(opsetOf(model), (hint) => names.take(`depth/${hint}`));
  const outputs = blocks.map((block) => {
    const first = block[0]!;
    const axes = channelAxes(grouping, first);
    const [x, y] = [first.stream, block.at(-1)!.sum].map((value) => build.cast(value, 'float32')) as [
      string,
      string,
    ];
    return ([[x, y], [x, x], [y, y]] as const).map(([a, b]) => build.reduce('mean', build.mul(a, b), axes, false)); // prettier-ignore
  });
  return {
    model: {
      ...model,
      graph: {
        ...graph,
        nodes: [...graph.nodes, ...build.nodes],
        initializers: [...graph.initializers, ...build.initializers],
        outputs: untypedInfos(outputs.flat()),
      },
    },
    outputs,
  };
}

/**
 * The axis that most weights have in common with the stream; if it can't be pruned and so is in no group, those that the
 * branch's first nodes contract or normalise; or all but the first.
 */
function channelAxes({ analysis, byFactor }: Grouping, { stream, nodes }: Branch): readonly number[] {
  const axes = analysis.axes.get(stream) ?? [];
  const weights = axes.map((axis) => {
    const groups = analysis.system.leaves(axis).map((leaf) => byFactor.get(leaf.origin?.factor ?? leaf));
    return Math.max(0, ...groups.map((group) => group?.members.length ?? 0));
  });
  const most = Math.max(...weights);
  if (most > 0) return [weights.indexOf(most)];
  const inBranch = new Set(nodes);
  const summed = analysis.roles.filter(
    ({ node, input, role }) =>
      inBranch.has(node) &&
      (role === 'contract' || role === 'normalize') &&
      analysis.model.graph.nodes[node]!.inputs[input] === stream,
  );
  const found = new Set(summed.map(({ axis }) => axis));
  return found.size > 0 ? [...found] : axes.map((_, axis) => axis).slice(1);
}
