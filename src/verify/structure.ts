import type { Model, Node } from '../onnx/model.js';
import type { TensorData } from '../onnx/tensor.js';
import { findConstants } from '../ops/constants.js';
import { usedNames } from '../shapes/literals.js';
import type { ConstantUses } from './constant-uses.js';
import { isEqual, sameBytes } from './difference.js';

/** Nodes that are the same in both models, for what can't be compared by its values. */
export class Structure {
  private readonly constants;
  private readonly denseConstants;

  constructor(
    private readonly dense: Model,
    private readonly pruned: Model,
    private readonly uses: ConstantUses,
    /** False where the pruned model's weights are others. */
    private readonly withValues: boolean,
  ) {
    this.constants = findConstants(pruned.graph);
    this.denseConstants = findConstants(dense.graph);
  }

  /** Why the node of the pruned model that writes what a dense one does is not the same node; undefined if it is. */
  differenceAt(index: number): string | undefined {
    const node = this.dense.graph.nodes[index]!;
    const counterpart = this.uses.counterpartOf(index);
    if (counterpart === undefined) return 'it is gone';
    const other = this.pruned.graph.nodes[counterpart]!;
    if (node.opType !== other.opType || node.domain !== other.domain) return `its op is ${other.opType}`;
    if (!sameList(node.outputs, other.outputs)) return 'its outputs are others';
    const [read, readNow] = [this.readBy(node, this.denseConstants), this.readBy(other, this.constants)];
    if (!sameList(read, readNow)) return 'it reads other values';
    if (!isAlike(node.attributes, other.attributes)) return 'its attributes are others';
    return this.uses.areSliced(index, { withValues: this.withValues })
      ? undefined
      : 'it reads other constants';
  }

  /** Whether a value is the same constant in both models. */
  isSameConstant(name: string): boolean {
    const [dense, pruned] = [this.denseConstants.get(name)?.tensor, this.constants.get(name)?.tensor];
    return dense !== undefined && pruned !== undefined && isEqual(pruned, dense, new Map());
  }

  /** Inputs as they stand, with constants without their names. */
  private readBy(node: Node, constants: ReadonlyMap<string, unknown>): string[] {
    const direct = node.inputs.map((name) => (constants.has(name) ? '=' : name));
    const captured = usedNames(node).filter((name) => !node.inputs.includes(name));
    return [...direct, ...captured];
  }
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((entry, i) => entry === b[i]);
}

/** Equality of plain data, bytes and tensors; doc strings don't count. */
function isAlike(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (a instanceof Uint8Array) return b instanceof Uint8Array && sameBytes(a, b);
  if (a instanceof Map) {
    return (
      b instanceof Map && a.size === b.size && [...a].every(([key, value]) => isAlike(value, b.get(key)))
    );
  }
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Object.is(a, b);
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((entry, i) => isAlike(entry, b[i]));
  if (isData(a)) return isData(b) && sameData(a, b);
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  keys.delete('docString');
  return [...keys].every((key) => isAlike(a[key as keyof typeof a], b[key as keyof typeof b]));
}

/** The elements of a tensor. */
function isData(value: object): value is TensorData {
  return 'storage' in value && 'bytes' in value;
}

function sameData(a: TensorData, b: TensorData): boolean {
  if (a.storage === 'absent' || b.storage === 'absent') return a.storage === b.storage;
  if (a.strings ?? b.strings) return isAlike(a.strings, b.strings);
  return sameBytes(a.bytes(), b.bytes());
}
