import type { AxisCoupling } from '../axes/couple.js';
import { nodeLabel } from '../onnx/names.js';
import { PruneError } from '../errors.js';
import { intsAttribute } from '../onnx/attributes.js';
import { opsetOf } from '../onnx/domain.js';
import { parameterOf } from '../ops/parameters.js';
import { integersOf } from '../onnx/values.js';
import type { Tensor } from '../onnx/tensor.js';
import { atSize, type AxisChange, type Projection, type ShapeOf } from '../plan/projection.js';
import type { NodeChange, RewriteContext, RewriteRule } from './rule.js';
import { extentOf, statedChange } from './stated.js';

/** The dense model at one size of its symbolic dims. */
export interface Variant {
  readonly shapeOf: ShapeOf;
  /** Constants by name, computed ones included. */
  readonly constantOf: (value: string) => Tensor | undefined;
}

/** Applies rules to nodes of a graph. */
export class NodeChanges {
  private readonly parameterAxes = new Map<string, AxisCoupling['parameters'][number]['axes']>();

  constructor(
    private readonly analysis: AxisCoupling,
    private readonly projection: Projection,
  ) {
    for (const { node, input, axes } of analysis.parameters) this.parameterAxes.set(`${node}:${input}`, axes);
  }

  isTouched(index: number): boolean {
    const node = this.analysis.model.graph.nodes[index]!;
    return (
      node.inputs.some((_, input) => this.projection.isTouched(this.inputAxes(index, input))) ||
      node.outputs.some((name) => this.projection.isTouched(this.analysis.axes.get(name)))
    );
  }

  /** What follows from a node's relation; undefined if nothing was stated of it. */
  stated(index: number): NodeChange | undefined {
    const { model, relations } = this.analysis;
    const relation = relations[index];
    return relation && statedChange(model.graph.nodes[index]!, relation, this.projection);
  }

  of(index: number, rule: RewriteRule, { shapeOf, constantOf }: Variant): NodeChange {
    const { model, axes } = this.analysis;
    const node = model.graph.nodes[index]!;
    const opset = opsetOf(model, node.domain);
    const changes = (list: ReturnType<NodeChanges['inputAxes']>, value: string): readonly AxisChange[] => {
      const dims = shapeOf(value);
      return (list ?? []).map((axis, i) => atSize(this.projection.of(axis), dims?.[i]));
    };
    const context: RewriteContext = {
      node,
      opset,
      outputCount: node.outputs.length,
      has: (input) => !!node.inputs[input],
      input: (input) => changes(this.inputAxes(index, input), node.inputs[input] ?? ''),
      output: (output = 0) => changes(axes.get(node.outputs[output] ?? ''), node.outputs[output] ?? ''),
      extent: (letters) => this.extent(index, letters),
      integers: (name) => {
        const found = parameterOf(node, opset, name);
        if (found.source === 'absent') return undefined;
        if (found.source === 'attribute') return intsAttribute(node, found.attribute);
        const tensor = constantOf(node.inputs[found.index]!);
        return tensor && integersOf(tensor);
      },
    };
    return rule.change(context);
  }

  private extent(index: number, letters: string): number {
    const relation = this.analysis.relations[index];
    const size = relation && extentOf(letters, relation, this.projection).after;
    if (size !== undefined && !Number.isNaN(size)) return size;
    const node = this.analysis.model.graph.nodes[index]!;
    throw new PruneError(
      'unsupported',
      `the axis rule of '${nodeLabel(node, index)}' (${node.opType}) doesn't tell the size of '${letters}'; name it in the rule`,
    );
  }

  private inputAxes(index: number, input: number) {
    const name = this.analysis.model.graph.nodes[index]!.inputs[input] ?? '';
    return this.parameterAxes.get(`${index}:${input}`) ?? this.analysis.axes.get(name);
  }
}
