import type { ParameterUse } from '../axes/couple.js';
import { keepMask } from '../axes/project.js';
import type { ConstantSource } from '../ops/constants.js';
import type { Role } from '../axes/relation.js';
import type { Grouping, Member, PruningGroup } from '../groups/group.js';
import type { Tensor } from '../onnx/tensor.js';
import { floatsOf, floatTensor } from '../onnx/values.js';
import { operandIndex } from '../ops/index.js';
import { keptMasks, type Plan } from '../plan/plan.js';

/** Roles whose zeros silence a channel. A running variance of zero would not. */
const silencing: readonly Role[] = ['produce', 'contract', 'batch', 'scale', 'shift'];

/**
 * The grouping with zeros in its weights where a plan removes channels, so that weights and gradients are those of the
 * pruned model, in the dense model's coordinates. Groups come in the same order. Statistics over a pruned residual
 * stream stay those of the dense width.
 */
export function maskedGrouping(grouping: Grouping, plan: Plan): Grouping {
  if (plan.kept.size === 0) return grouping;
  const { system, model } = grouping.analysis;
  const masks = keptMasks(plan);
  const sources = new Map<ConstantSource | ParameterUse, ConstantSource>();
  const maskedUse = (use: ParameterUse): ParameterUse => {
    const key = use.source.tied ? use.source : use;
    let source = sources.get(key);
    if (!source) {
      const keeps = use.axes.map((axis) => keepMask(system, axis, masks));
      sources.set(key, (source = { ...use.source, tensor: maskTensor(use.source.tensor, keeps) }));
    }
    return { ...use, source };
  };
  const maskedMember = (member: Member): Member => {
    const { parameter, role } = member;
    const divides = operandIndex(model.graph.nodes[parameter.node]!, 'divisor') === parameter.input;
    const isSilent = silencing.includes(role) && parameter.source.tensor.dtype === 'float32' && !divides;
    return isSilent ? { ...member, parameter: maskedUse(parameter) } : member;
  };
  const groups = grouping.groups.map((group): PruningGroup => ({
    ...group,
    members: group.members.map(maskedMember),
  }));
  return { ...grouping, groups, byFactor: new Map(groups.map((group) => [group.factor, group])) };
}

function maskTensor(tensor: Tensor, keeps: readonly Uint8Array[]): Tensor {
  if (keeps.every((keep) => keep.every((bit) => bit === 1))) return tensor;
  const values = Float32Array.from(floatsOf(tensor));
  const { dims } = tensor;
  let inner = values.length;
  dims.forEach((length, axis) => {
    const outer = values.length / inner;
    inner /= length;
    for (let a = 0; a < length; a++) {
      if (keeps[axis]![a] === 1) continue;
      for (let o = 0; o < outer; o++) values.fill(0, (o * length + a) * inner, (o * length + a + 1) * inner);
    }
  });
  return floatTensor(tensor.name, values, dims);
}
