import { PruneError } from '../../errors.js';
import { floatAttribute, stringAttribute } from '../../onnx/attributes.js';
import { keptInner, type Masked, type MaskedForms, type StatisticsBuilder } from '../statistics-builder.js';

export const fused: MaskedForms = {
  'com.microsoft::SkipLayerNormalization': (build) => skipNorm(build, true),
  'com.microsoft::SkipSimplifiedLayerNormalization': (build) => skipNorm(build, false),
  'com.microsoft::GatedRMSNorm': gatedNorm,
  'com.microsoft::EmbedLayerNormalization': (build) => {
    const { node } = build;
    embedNorm(build);
    // The node stays for its count of the mask.
    return { outputs: node.outputs.map((name, k) => (k === 1 || !name ? name : build.fresh('dense'))) };
  },
};

/** Norm of input + skip + bias, which is also an output. */
function skipNorm(build: StatisticsBuilder, centred: boolean): Masked {
  const { node, x } = build.statistics;
  const bias = centred ? 4 : 3;
  const both = build.add(build.input(0), build.input(1));
  const sum = node.inputs[bias] ? build.add(both, build.input(bias)) : both;
  build.output(3, sum);
  scaledNorm(build, sum, x.length - 1, 2, centred ? 3 : undefined, centred);
  return {};
}

/** Norms of runs as long as the scale, scaled and gated by x·sigmoid(x). */
function gatedNorm(build: StatisticsBuilder): Masked {
  const { node, x, uses } = build.statistics;
  const activation = stringAttribute(node, 'activation', 'silu');
  if (activation !== 'silu')
    throw new PruneError(
      'unsupported',
      `the gate '${activation}' of '${node.name || node.outputs[0]}' (GatedRMSNorm) can't be masked for the proof; leave its groups out or pass --no-verify`,
    );
  const inner = uses[0]!.expression.size;
  const { kept, count } = keptInner(x.at(-1)!, inner);
  const weights = build.floats(kept.map((bit) => (bit * inner) / count), [inner], build.work); // prettier-ignore
  const outer = x.slice(1).map(() => 0);
  const nested = build.reshape(build.input(0), [...outer, x.at(-1)!.before / inner, inner]);
  const { normal } = build.normalize(nested, [x.length], weights, false);
  const shape = build.unary('shape', node.inputs[0]!);
  const scaled = build.reshapeTo(build.mul(normal, build.input(1)), shape);
  const gate = build.mul(build.input(2), build.unary('sigmoid', build.input(2)));
  build.output(0, build.mul(scaled, gate));
  return {};
}

/** Norm of the sum of word, position and segment embeddings. */
function embedNorm(build: StatisticsBuilder): void {
  const { node } = build;
  const rows = (table: number, ids: string): string => build.gather(build.input(table), ids);
  const length = build.gather(build.unary('shape', node.inputs[0]!), build.int(1));
  const positions = node.inputs[8] || build.range(build.int(0), length, build.int(1));
  const words = build.add(rows(2, node.inputs[0]!), rows(3, positions));
  const sum = node.inputs[4] ? build.add(words, rows(4, node.inputs[1]!)) : words;
  build.output(2, sum);
  scaledNorm(build, sum, 2, 5, 6, true);
}

/** Norm over one axis, the only one of the scale. */
function scaledNorm(
  build: StatisticsBuilder,
  value: string,
  axis: number,
  scale: number,
  shift: number | undefined,
  centred: boolean,
): void {
  const { node, x } = build.statistics;
  const epsilon = floatAttribute(node, 'epsilon', 1e-12);
  const { normal } = build.normalize(value, [axis], build.weights([x.length - 1]), centred, epsilon);
  const scaled = build.mul(normal, build.input(scale));
  const hasShift = shift !== undefined && node.inputs[shift];
  build.output(0, hasShift ? build.add(scaled, build.input(shift)) : scaled);
}
