import type { AxisCoupling } from '../axes/couple.js';
import { findConstants } from '../ops/constants.js';
import type { Model, ValueInfo } from '../onnx/model.js';
import { scaled, type Projection } from '../plan/projection.js';
import { sameBytes } from './difference.js';
import type { ProofFailure } from './report.js';

/**
 * What the outside sees of the pruned model: inputs and outputs with the names, the order and the types of the dense
 * model's, at the sizes that the plan leaves, and the versions of the operator sets.
 * @returns the first thing that is not as it should be
 */
export function checkInterface(
  dense: Model,
  pruned: Model,
  analysis: AxisCoupling,
  projection: Projection,
): ProofFailure | undefined {
  const sizeOf = (value: string, axis: number, size: number): number => {
    const own = analysis.axes.get(value)?.[axis];
    return own ? scaled(projection.of(own), size) : size;
  };
  return (
    checkSide('input', inputsOf(dense), inputsOf(pruned), sizeOf) ??
    checkSide('output', dense.graph.outputs, pruned.graph.outputs, sizeOf) ??
    checkOpsets(dense, pruned)
  );
}

/** Initializers that are inputs too are weights, not part of the interface. */
function inputsOf({ graph }: Model): readonly ValueInfo[] {
  const constants = findConstants(graph);
  return graph.inputs.filter(({ name }) => !constants.has(name));
}

type SizeOf = (value: string, axis: number, size: number) => number;

function checkSide(
  side: 'input' | 'output',
  dense: readonly ValueInfo[],
  pruned: readonly ValueInfo[],
  sizeOf: SizeOf,
): ProofFailure | undefined {
  const list = (infos: readonly ValueInfo[]): string =>
    infos.map(({ name }) => `'${name}'`).join(', ') || 'none';
  if (dense.length !== pruned.length || dense.some(({ name }, i) => name !== pruned[i]!.name))
    return failure('', `the ${side}s are ${list(pruned)} instead of ${list(dense)}`);
  for (const [i, info] of dense.entries()) {
    const [want, got] = [typeText(info, sizeOf), typeText(pruned[i]!)];
    if (want !== got || !sameEncoded(info, pruned[i]!))
      return failure(info.name, `${side} '${info.name}' is declared as ${got} instead of ${want}`);
  }
  return undefined;
}

/** `float32[batch, 3, ?]`. */
function typeText({ name, type }: ValueInfo, sizeOf: SizeOf = (_value, _axis, size) => size): string {
  if (type?.kind !== 'tensor') return type === undefined ? 'nothing' : 'no tensor';
  const dims = type.shape?.map(({ value }, axis) =>
    typeof value === 'number' ? sizeOf(name, axis, value) : value || '?',
  );
  return `${type.dtype}${dims ? `[${dims.join(', ')}]` : ''}`;
}

/** Sequences and maps are known by their bytes only. */
function sameEncoded({ type: a }: ValueInfo, { type: b }: ValueInfo): boolean {
  return a?.kind !== 'other' || (b?.kind === 'other' && sameBytes(a.encoded, b.encoded));
}

function checkOpsets(dense: Model, pruned: Model): ProofFailure | undefined {
  for (const [domain, version] of dense.opsets) {
    const got = pruned.opsets.get(domain);
    if (got !== version)
      return failure(
        '',
        `the operator set '${domain}' is imported as version ${got ?? 'none'} instead of ${version}`,
      );
  }
  return undefined;
}

function failure(value: string, message: string): ProofFailure {
  return { kind: 'interface', value, node: '', op: '', message };
}
