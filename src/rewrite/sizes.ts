import { findConstants, type ConstantSource } from '../ops/constants.js';
import { intAttribute, intsAttribute, withAttribute, withoutAttribute } from '../onnx/attributes.js';
import { opsetOf } from '../onnx/domain.js';
import { capturedNames } from '../onnx/graph-index.js';
import type { Model, Node } from '../onnx/model.js';
import { parameterOf } from '../ops/parameters.js';
import type { Tensor } from '../onnx/tensor.js';
import { elementBytes, integersOf, integerTensor, withBytes } from '../onnx/values.js';
import { has, qualifiedName } from '../ops/index.js';
import { evaluateConstants } from '../shapes/evaluate.js';
import { NodeChanges, type Variant } from './changes.js';
import type { ModelEdit } from '../edit/model-edit.js';
import type { Replacement } from './parameters.js';
import { correct, isRight, numbersOf, uncorrectable, type Assembly, type Comparison } from './patch.js';
import { predictShapes, type Projection } from '../plan/projection.js';
import { findShapeRegion } from './region.js';
import type { RewriteInput } from './input.js';
import type { NodeChange, RewriteRule } from './rule.js';
import { rewriteRules } from './rules/index.js';
import { denseSizes, otherShapes, type DenseSizes } from './variants.js';

/** An operand that the graph computes, with the value it has to have, at each size of the symbolic dims. */
export interface ComputedOperand {
  readonly node: number;
  readonly input: number;
  readonly value: string;
  /** Undefined at sizes where nothing is known of it. */
  readonly wanted: readonly (readonly number[] | undefined)[];
}

export interface SizePlan extends DenseSizes {
  /** Shape operands that stand in the file. */
  readonly literals: readonly Replacement[];
  readonly computed: readonly ComputedOperand[];
}

/**
 * Decides for every size held outside the weights what it has to be. Attributes are edited at once. The graph is
 * evaluated only if it computes sizes that the plan may change.
 */
export async function planSizes(
  input: RewriteInput,
  model: Model,
  projection: Projection,
  edit: ModelEdit,
  /** Nodes that are no longer there. */
  gone: ReadonlySet<number>,
): Promise<SizePlan> {
  const { analysis } = input;
  const { nodes } = model.graph;
  const sources = findConstants(model.graph);
  const changes = new NodeChanges(analysis, projection);
  const ruled = new Map<number, RewriteRule>();
  nodes.forEach((node, index) => {
    if (gone.has(index)) return;
    const rule = rewriteRules.get(qualifiedName(node));
    const stated = changes.stated(index);
    if (stated) setAttributes(edit, index, stated);
    if (rule && changes.isTouched(index)) ruled.set(index, rule);
  });
  const operands = new Map<number, ReadonlyMap<string, number>>();
  const names = new Set<string>();
  for (const [index, rule] of ruled) {
    const computed = computedOperands(model, index, rule, sources);
    operands.set(index, computed);
    for (const k of computed.values()) names.add(nodes[index]!.inputs[k]!);
  }
  const boundary = boundaryUses(input, model, sources, projection).filter(({ node }) => !gone.has(node));
  for (const { value } of boundary) names.add(value);
  const { variants, reach } = await denseSizes(input, model, sources, names);

  const literals: Replacement[] = [];
  const following: [index: number, name: string, values: readonly number[]][] = [];
  const computed: ComputedOperand[] = [];
  const decided = new Set<string>();
  for (const [index, rule] of ruled) {
    const own = operands.get(index)!;
    const [change, ...others] = (own.size > 0 ? variants : variants.slice(0, 1)).map((variant) =>
      changes.of(index, rule, variant),
    ) as [NodeChange, ...NodeChange[]];
    setAttributes(edit, index, change);
    for (const [name, values] of Object.entries(change.ints ?? {})) {
      if (!values) continue;
      const k = own.get(name);
      if (k === undefined) {
        if (follows(nodes[index]!, name, values, model, sources)) following.push([index, name, values]);
        literals.push(...setList(model, edit, index, name, values, sources));
      } else {
        const wanted = [values, ...others.map(({ ints }) => ints?.[name])];
        computed.push({ node: index, input: k, value: nodes[index]!.inputs[k]!, wanted });
        decided.add(`${index}:${k}`);
      }
    }
  }
  for (const use of boundary) {
    if (decided.has(`${use.node}:${use.input}`)) continue;
    const wanted = variants.map(({ constantOf }) => {
      const tensor = constantOf(use.value);
      return tensor && numbersOf(tensor);
    });
    if (wanted[0]) computed.push({ ...use, wanted });
  }
  if (following.length > 0)
    for (const shapeOf of await otherShapes(await input.variation?.()))
      for (const [index, name, values] of following) {
        const variant = { shapeOf, constantOf: variants[0]!.constantOf };
        const other = changes.of(index, ruled.get(index)!, variant).ints?.[name];
        if (other?.some((x, i) => x !== values[i])) throw uncorrectable(nodes[index]!.outputs[0]!);
      }
  return { literals, computed, variants, reach };
}

/** Compares what the pruned graph computes with what is wanted, and puts wrong values right before their first use. */
export async function correctComputedSizes(
  { analysis, runtime }: RewriteInput,
  projection: Projection,
  edit: ModelEdit,
  { computed: operands, variants, reach }: SizePlan,
): Promise<void> {
  if (operands.length === 0) return;
  const pruned = edit.apply().model;
  const values = operands.map(({ value }) => value);
  const computed: ReadonlyMap<string, Tensor>[] = [];
  for (const { shapeOf } of variants)
    computed.push(
      await evaluateConstants(pruned, runtime, predictShapes(analysis, projection, shapeOf), values),
    );

  const keyOf = ({ value, wanted }: ComputedOperand): string =>
    `${value}=${wanted.map((numbers) => numbers?.join()).join(';')}`;
  const assemblies = new Assemblies(analysis.model, operands, keyOf);
  const corrected = new Map<string, string>();
  for (const operand of operands) {
    const { node, input, value, wanted } = operand;
    const at = variants.flatMap(({ constantOf }, k): Comparison['at'][number][] => {
      const dense = constantOf(value);
      const want = wanted[k];
      return dense && want ? [{ dense, wanted: want, computed: computed[k]!.get(value) }] : [];
    });
    const comparison: Comparison = { value, reach: reach(value), at };
    if (isRight(comparison)) continue;
    const key = keyOf(operand);
    let name = corrected.get(key);
    if (name === undefined) {
      // Operands come in no order; the nodes may be needed earlier by another one.
      const first = Math.min(...operands.filter((other) => other.value === value).map((other) => other.node));
      const assembly = assemblies.of(operand, variants[0]!);
      const correction = correct(comparison, assembly, edit);
      edit.insertBefore(first, correction.nodes);
      corrected.set(key, (name = correction.name));
    }
    edit.setInput(node, input, name);
  }
}

/** The Concats that write computed operands. */
class Assemblies {
  private readonly writers = new Map<string, number>();
  private readonly readers = new Map<string, number>();

  constructor(
    private readonly model: Model,
    private readonly operands: readonly ComputedOperand[],
    private readonly keyOf: (operand: ComputedOperand) => string,
  ) {
    const { graph } = model;
    const read = (name: string): unknown => this.readers.set(name, (this.readers.get(name) ?? 0) + 1);
    graph.nodes.forEach((node, index) => {
      if (has(node, 'joins')) this.writers.set(node.outputs[0]!, index);
      for (const name of [...node.inputs, ...capturedNames(node)]) read(name);
    });
    for (const { name } of graph.outputs) read(name);
  }

  of(operand: ComputedOperand, { shapeOf, constantOf }: Variant): Assembly | undefined {
    const index = this.writers.get(operand.value);
    if (index === undefined) return undefined;
    const node = this.model.graph.nodes[index]!;
    const lengths = node.inputs.map((name) => {
      const dims = constantOf(name)?.dims ?? shapeOf(name);
      return dims?.length === 1 ? dims[0] : undefined;
    });
    const key = this.keyOf(operand);
    const alike = this.operands.filter((other) => this.keyOf(other) === key).length;
    return { index, node, lengths, isExclusive: alike === this.readers.get(operand.value) };
  }
}

/** Inputs of a node that hold the parameters of its rule and are computed by other nodes, by parameter. */
function computedOperands(
  model: Model,
  index: number,
  rule: RewriteRule,
  sources: ReadonlyMap<string, ConstantSource>,
): ReadonlyMap<string, number> {
  const node = model.graph.nodes[index]!;
  const opset = opsetOf(model, node.domain);
  const out = new Map<string, number>();
  for (const name of rule.reads) {
    const place = parameterOf(node, opset, name);
    if (place.source === 'input' && !sources.has(node.inputs[place.index]!)) out.set(name, place.index);
  }
  return out;
}

/** Where values of the shape arithmetic that may change enter the rest of the graph. */
function boundaryUses(
  { analysis }: RewriteInput,
  { graph }: Model,
  sources: ReadonlyMap<string, ConstantSource>,
  projection: Projection,
): Omit<ComputedOperand, 'wanted'>[] {
  if (!graph.nodes.some((node) => has(node, 'sizes'))) return [];
  const region = findShapeRegion(analysis, sources, projection);
  const uses: Omit<ComputedOperand, 'wanted'>[] = [];
  graph.nodes.forEach((node, index) => {
    if (region.nodes.has(index)) return;
    node.inputs.forEach((value, input) => {
      if (region.affected.has(value)) uses.push({ node: index, input, value });
    });
  });
  return uses;
}

function setAttributes(edit: ModelEdit, index: number, { int, float, without }: NodeChange): void {
  let node = edit.node(index);
  for (const [name, value] of Object.entries(int ?? {}))
    if (intAttribute(node, name) !== value)
      node = withAttribute(node, name, { type: 'int', value: BigInt(value) });
  for (const [name, value] of Object.entries(float ?? {}))
    if (value !== undefined) node = withAttribute(node, name, { type: 'float', value });
  for (const name of without ?? []) node = withoutAttribute(node, name);
  edit.setNode(index, node);
}

/**
 * Whether an entry that takes its size from elsewhere (0 or -1 of a Reshape, a bound that counts from the end) is
 * to be written as a number, which has to be the right one at every size.
 */
function follows(
  node: Node,
  name: string,
  values: readonly number[],
  model: Model,
  sources: ReadonlyMap<string, ConstantSource>,
): boolean {
  const place = parameterOf(node, opsetOf(model, node.domain), name);
  const tensor = place.source === 'input' ? sources.get(node.inputs[place.index]!)?.tensor : undefined;
  const old =
    place.source === 'attribute' ? intsAttribute(node, place.attribute) : tensor && integersOf(tensor);
  return old?.some((x, i) => x <= 0 && x !== values[i]) ?? false;
}

/** Writes an integer list where the opset has it; returns the replacement if that is a constant input. */
function setList(
  model: Model,
  edit: ModelEdit,
  index: number,
  name: string,
  values: readonly number[],
  sources: ReadonlyMap<string, ConstantSource>,
): Replacement[] {
  const node = edit.node(index);
  const opset = opsetOf(model, node.domain);
  const present = parameterOf(node, opset, name);
  const place = present.source === 'absent' ? parameterOf(completed(node, name), opset, name) : present;
  if (place.source === 'attribute') {
    const old = intsAttribute(node, name) ?? [];
    if (old.length === values.length && old.every((x, i) => x === values[i])) return [];
    const written = node.attributes.get(name)?.value as readonly bigint[] | undefined;
    const value = values.map((x, i) => (written && x === old[i] ? written[i]! : BigInt(x)));
    edit.setNode(index, withAttribute(node, name, { type: 'ints', value }));
  } else if (present.source === 'input') {
    const { tensor } = sources.get(node.inputs[present.index]!)!;
    const old = integersOf(tensor);
    if (old.every((x, i) => x === values[i])) return [];
    const make = (dense: Tensor): Tensor => withIntegers(dense, old, values);
    return [{ node: index, input: present.index, key: `=${values.join()}`, make }];
  } else if (place.source === 'input') {
    const tensor = integerTensor(edit.names.take(`${node.outputs[0]}_${name}`), values);
    edit.addTensor(tensor);
    edit.setInput(index, place.index, tensor.name);
  }
  return [];
}

/** The node as if it left no parameter out, to learn where one belongs. */
function completed(node: Node, name: string): Node {
  const inputs = Array.from({ length: 8 }, (_, i) => node.inputs[i] || '?');
  return { ...withAttribute(node, name, { type: 'ints', value: [] }), inputs };
}

/** Overwrites changed entries only: what a double can't hold, such as an open bound of INT64_MAX, stays. */
function withIntegers(tensor: Tensor, old: readonly number[], values: readonly number[]): Tensor {
  const size = elementBytes(tensor.dtype);
  const bytes = tensor.data.bytes().slice();
  values.forEach((value, i) => {
    if (value !== old[i]) bytes.set(integerTensor('', [value], [1], tensor.dtype).data.bytes(), i * size);
  });
  return withBytes(tensor, bytes);
}
