import { intAttribute, intsAttribute } from '../onnx/attributes.js';
import { opsetOf } from '../onnx/domain.js';
import type { Model, Node } from '../onnx/model.js';
import { elementCount } from '../onnx/tensor.js';
import { integersOf } from '../onnx/values.js';
import { has } from '../ops/index.js';
import { parameterOf } from '../ops/parameters.js';
import { literalsOf, usedNames } from './literals.js';
import type { Dims } from './session-model.js';

/** Whether each entry of a value may depend on a symbolic dim, or one answer for all of them. */
export type Reach = boolean | readonly boolean[];

/** Whether a symbolic dim may reach any entry. */
export const isReached = (reach: Reach): boolean =>
  typeof reach === 'boolean' ? reach : reach.includes(true);

export const isEntryReached = (reach: Reach, entry: number): boolean =>
  typeof reach === 'boolean' ? reach : reach[entry]!;

/**
 * What of the sizes that a graph computes may depend on its symbolic dims: by data flow, entry by entry through the
 * ops that shape arithmetic is made of, and value by value through all others. What is computed from elements of an
 * input counts as reached.
 * @param openShapeOf dims that hold at every size
 */
export function reachOf(
  model: Model,
  openShapeOf: (value: string) => Dims | undefined,
): (value: string) => Reach {
  const flow = new Flow(model, openShapeOf);
  for (const node of model.graph.nodes) flow.through(node);
  return (value) => flow.reach(value);
}

class Flow {
  private readonly found = new Map<string, Reach>();
  private readonly literals;
  private readonly opset;

  constructor(
    model: Model,
    private readonly openShapeOf: (value: string) => Dims | undefined,
  ) {
    this.literals = literalsOf(model.graph);
    this.opset = opsetOf(model);
  }

  reach(name: string): Reach {
    return name !== '' && !this.literals.has(name) && (this.found.get(name) ?? true);
  }

  through(node: Node): void {
    const whole = this.entries(node) ?? usedNames(node).some((name) => isReached(this.reach(name)));
    for (const name of node.outputs) if (name !== '') this.found.set(name, isReached(whole) && whole);
  }

  /** The answer for the first output, where the op tells more than that it depends on what it reads. */
  private entries(node: Node): Reach | undefined {
    const [x = ''] = node.inputs;
    const [y = ''] = node.outputs;
    const others = node.inputs.slice(1);
    if (has(node, 'sizes')) {
      const open = this.dims(x)?.map((dim) => dim === undefined) ?? true;
      // The number of elements is one entry.
      if (open === true || this.dims(y)?.length === 0) return isReached(open);
      return open.slice(intAttribute(node, 'start'), intAttribute(node, 'end'));
    }
    if (has(node, 'pointwise')) return this.pointwise(node.inputs, y);
    if (has(node, 'view'))
      return others.some((name) => isReached(this.reach(name))) ? undefined : this.spread(x);
    if (has(node, 'joins')) {
      const parts = node.inputs.map((name) => this.spread(name));
      return this.isVector(y) && parts.every((part) => part !== undefined) ? parts.flat() : undefined;
    }
    const from = this.isVector(x) ? this.spread(x) : undefined;
    if (!from) return undefined;
    if (has(node, 'gathers')) {
      const indices = this.literals.get(others[0] ?? '');
      const picked = indices && integersOf(indices).map((i) => from.at(i));
      return picked?.every((entry) => entry !== undefined) ? picked : undefined;
    }
    const [start, end, step] = ['starts', 'ends', 'steps'].map((name) => this.literal(node, name));
    const isPlain = (step?.[0] ?? 1) === 1 && others.every((name) => name === '' || this.literals.has(name));
    return isPlain && start && end ? from.slice(start[0], end[0]) : undefined;
  }

  /** Operands of one length, or of one entry. */
  private pointwise(inputs: readonly string[], output: string): readonly boolean[] | undefined {
    const length = this.length(output);
    const operands = inputs.filter(Boolean).map((name) => this.spread(name));
    if (!operands.every((own) => own && (own.length === length || own.length === 1))) return undefined;
    return Array.from({ length: length! }, (_, i) =>
      operands.some((own) => own!.at(own!.length === 1 ? 0 : i)),
    );
  }

  /** Entry by entry, row-major; undefined where their number is not known. */
  private spread(name: string): readonly boolean[] | undefined {
    const own = this.reach(name);
    const length = this.length(name);
    if (typeof own !== 'boolean') return own;
    return length === undefined ? undefined : new Array<boolean>(length).fill(own);
  }

  private dims(name: string): Dims | undefined {
    return this.literals.get(name)?.dims ?? this.openShapeOf(name);
  }

  private length(name: string): number | undefined {
    const dims = this.dims(name);
    return dims?.every((dim) => dim !== undefined) ? elementCount(dims) : undefined;
  }

  private isVector(name: string): boolean {
    return this.dims(name)?.length === 1;
  }

  /** A parameter that stands in the file. */
  private literal(node: Node, name: string): readonly number[] | undefined {
    const place = parameterOf(node, this.opset, name);
    if (place.source === 'attribute') return intsAttribute(node, place.attribute);
    const tensor = place.source === 'input' ? this.literals.get(node.inputs[place.index]!) : undefined;
    return tensor && integersOf(tensor);
  }
}
