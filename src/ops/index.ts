import type { Node } from '../onnx/model.js';
import { mergeFamilies } from '../onnx/op-table.js';
import { attention } from './attention.js';
import { constant } from './constant.js';
import { container } from './container.js';
import { contraction } from './contraction.js';
import { control } from './control.js';
import { elementwise } from './elementwise.js';
import { fused } from './fused.js';
import { indexing } from './indexing.js';
import { loss } from './loss.js';
import { movement } from './movement.js';
import { normalization } from './normalization.js';
import type { Op, OpEntry, OpFamily, Operand, Trait } from './op.js';
import { pooling } from './pooling.js';
import { quantization } from './quantization.js';
import { random } from './random.js';
import { recurrent } from './recurrent.js';
import { reduction } from './reduction.js';
import { text } from './text.js';

/** All that is known of ops. To add one, write it into the file of its family. */
const families = {
  elementwise,
  contraction,
  normalization,
  pooling,
  reduction,
  movement,
  indexing,
  recurrent,
  quantization,
  constant,
  random,
  attention,
  fused,
  control,
  container,
  text,
  loss,
} as const satisfies Readonly<Record<string, OpFamily>>;

export type FamilyName = keyof typeof families;

/** Ops by qualified name. */
export const ops: ReadonlyMap<string, Op> = new Map(
  [...mergeFamilies('op', families)].map(([name, entry]) => [name, opFrom(name, entry)]),
);

/** `Op`, or `domain::Op` outside the default domain: the one form in which ops are named. */
export function qualifiedName({ domain, opType }: Pick<Node, 'domain' | 'opType'>): string {
  return domain === '' ? opType : `${domain}::${opType}`;
}

/** Undefined for an op that isn't known. */
export function opOf(node: Pick<Node, 'domain' | 'opType'>): Op | undefined {
  return ops.get(qualifiedName(node));
}

/** Whether an op has a trait, or any of several; unknown ops have none. */
export function has(node: Pick<Node, 'domain' | 'opType'>, ...traits: readonly Trait[]): boolean {
  const op = opOf(node);
  return op !== undefined && traits.some((trait) => op.traits.has(trait));
}

/** Position of an operand among the inputs; undefined where the op has no such operand. */
export function operandIndex(node: Pick<Node, 'domain' | 'opType'>, operand: Operand): number | undefined {
  return opOf(node)?.operands[operand];
}

/** Name of the value that a node reads as an operand; undefined where it leaves it out or the op has none. */
export function operandOf(node: Node, operand: Operand): string | undefined {
  const index = operandIndex(node, operand);
  return (index !== undefined && node.inputs[index]) || undefined;
}

/** Qualified names of a family's ops, as they are written down. */
export function opsIn(name: FamilyName): readonly string[] {
  return Object.keys(families[name]);
}

/** Qualified names of the ops with a trait. */
export function opsWith(trait: Trait): readonly string[] {
  return [...ops.values()].filter(({ traits }) => traits.has(trait)).map(({ name }) => name);
}

function opFrom(name: string, { inputs, traits, operands = {}, ...rest }: OpEntry): Op {
  const formal = inputs?.split(' ') ?? [];
  const positions: Partial<Record<Operand, number>> = {};
  for (const [operand, input] of Object.entries(operands))
    positions[operand as Operand] = formal.indexOf(input);
  return { ...rest, name, inputs: formal, traits: new Set(traits), operands: positions };
}
