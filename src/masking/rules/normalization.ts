import { intAttribute } from '../../onnx/attributes.js';
import { keptInner, type Masked, type MaskedForms, type StatisticsBuilder } from '../statistics-builder.js';

/** Normalisations spelled out with masked means. */
export const normalization: MaskedForms = {
  LayerNormalization: (build) => layerNorm(build, true),
  RMSNormalization: (build) => layerNorm(build, false),
  SimplifiedLayerNormalization: (build) => layerNorm(build, false),
  InstanceNormalization: (build) => {
    const { x } = build.statistics;
    const all = x.map((_, axis) => axis).slice(2);
    const { normal } = build.normalize(build.input(0), all, build.weights(build.lost), true);
    return scaleAndShift(build, normal, [x[1]!.before, ...all.map(() => 1)]);
  },
  GroupNormalization: groupNorm,
  MeanVarianceNormalization: (build) => {
    const { node, x } = build.statistics;
    const given = node.attributes.get('axes');
    const axes =
      given?.type === 'ints' ? given.value.map((a) => (Number(a) + x.length) % x.length) : [0, 2, 3];
    build.output(0, build.normalize(build.input(0), axes, build.weights(build.lost), true, 1e-9).normal);
    return {};
  },
};

/** LayerNormalization, or without centring RMSNormalization. */
function layerNorm(build: StatisticsBuilder, centred: boolean): Masked {
  const { node, x } = build.statistics;
  const first = intAttribute(node, 'axis', -1);
  const axes = x.map((_, axis) => axis).slice(first);
  const { normal, mean, deviation } = build.normalize(build.input(0), axes, build.weights(axes), centred);
  const scaled = build.mul(normal, build.input(1));
  build.output(0, node.inputs[2] ? build.add(scaled, build.input(2)) : scaled);
  if (centred && mean) build.output(1, mean);
  const inverse = centred ? 2 : 1;
  if (node.outputs[inverse]) build.output(inverse, build.div(build.number(1), deviation));
  return {};
}

function groupNorm(build: StatisticsBuilder): Masked {
  const { node, x } = build.statistics;
  const groups = intAttribute(node, 'num_groups', 1);
  const dims = x.map(({ before }) => before);
  const inner = dims[1]! / groups;
  const { kept, count } = keptInner(x[1]!, inner);
  // Positions are merged below; where some go, their sizes are static.
  const spatial = x.slice(2);
  const losing = spatial.some(({ mask }) => mask !== undefined);
  const positions = (losing ? spatial : []).reduce(
    (list, { mask, before, after }) =>
      list.flatMap((a) =>
        Array.from({ length: before }, (_, i) => (mask ? (a * mask[i]! * before) / after : a)),
      ),
    [1],
  );
  const values = kept.flatMap((bit) => positions.map((weight) => (bit * weight * inner) / count));
  const weights = build.floats(values, [inner, positions.length], build.work);
  // Sizes that may be symbolic are copied (0), inferred (-1) or asked for.
  const nested = build.reshape(build.input(0), [0, groups, inner, -1]);
  const { normal } = build.normalize(nested, [2, 3], weights, true);
  const shape = build.unary('shape', node.inputs[0]!);
  const channels = [dims[1]!, ...dims.slice(2).map(() => 1)];
  // Up to opset 20 scale and bias are per group.
  if (build.opset >= 21) return scaleAndShift(build, build.reshapeTo(normal, shape), channels);
  return scaleAndShift(build, normal, [groups, 1, 1], shape);
}

function scaleAndShift(build: StatisticsBuilder, x: string, dims: readonly number[], shape?: string): Masked {
  const scaled = build.mul(x, build.reshape(build.input(1), dims));
  const shifted = build.add(scaled, build.reshape(build.input(2), dims));
  build.output(0, shape ? build.reshapeTo(shifted, shape) : shifted);
  return {};
}
