/**
 * A runtime whose products of unsigned and signed 8-bit numbers saturate, as onnxruntime's do on x86 without VNNI:
 * every two products are added at 16 bits.
 */
import { withAttribute } from '../../src/onnx/attributes.js';
import { decodeModel, encodeModel } from '../../src/onnx/codec.js';
import { dataTypeToNumber, type DataType } from '../../src/onnx/data-type.js';
import type { Model, Node } from '../../src/onnx/model.js';
import type { Tensor } from '../../src/onnx/tensor.js';
import { floatTensor, integersOf, integerTensor } from '../../src/onnx/values.js';
import { findConstants } from '../../src/ops/constants.js';
import { makeNode } from '../../src/ops/nodes.js';
import type { Runtime } from '../../src/runtime/runtime.js';

export function saturating(runtime: Runtime): Runtime {
  const load: Runtime['load'] = (bytes, options) =>
    runtime.load(encodeModel(saturated(decodeModel(bytes))), options);
  return Object.assign(Object.create(runtime) as Runtime, { load });
}

function saturated(model: Model): Model {
  const constants = findConstants(model.graph);
  const added: Tensor[] = [];
  const tensorOf = (name: string | undefined): Tensor | undefined => constants.get(name ?? '')?.tensor;
  const nodes = model.graph.nodes.flatMap((node): Node[] => {
    const weight = tensorOf(node.inputs[node.opType === 'QLinearConv' ? 3 : 1]);
    if (weight?.dtype !== 'int8') return [node];
    if (node.opType === 'MatMulInteger')
      return new Emitter(node, added).matMul(weight, tensorOf(node.inputs[3]));
    const isPointwise = node.opType === 'QLinearConv' && weight.dims[2] === 1 && weight.dims[3] === 1;
    return isPointwise ? new Emitter(node, added).conv(weight, tensorOf) : [node];
  });
  return {
    ...model,
    graph: { ...model.graph, nodes, initializers: [...model.graph.initializers, ...added] },
  };
}

class Emitter {
  private readonly nodes: Node[] = [];

  constructor(
    private readonly node: Node,
    private readonly added: Tensor[],
  ) {}

  /** a·b of [… m k] and [k n]: zero points are taken out behind the saturated sum. */
  matMul(b: Tensor, bZero: Tensor | undefined): Node[] {
    const [k, n] = b.dims as [number, number];
    const weights = integersOf(b);
    const zero = bZero ? integersOf(bZero)[0]! : 0;
    const a = this.cast(this.node.inputs[0]!, 'float32');
    const aZero = this.node.inputs[2] ? this.cast(this.node.inputs[2], 'float32') : this.floats([0], []);
    let sum: string | undefined;
    for (let i = 0; i < k; i += 2) {
      const pair = Math.min(2, k - i);
      const part = this.op('Slice', a, this.integers([i]), this.integers([i + pair]), this.integers([-1]));
      const product = this.op('MatMul', part, this.floats(weights.slice(i * n, (i + pair) * n), [pair, n]));
      const clipped = this.op('Clip', product, this.floats([-32768], []), this.floats([32767], []));
      sum = sum === undefined ? clipped : this.op('Add', sum, clipped);
    }
    const columns = Array.from({ length: n }, (_, j) =>
      weights.reduce((total, w, i) => (i % n === j ? total + w - zero : total), 0),
    );
    const rows = this.op('MatMul', a, this.floats(new Array<number>(k).fill(zero), [k, 1]));
    const shifted = this.op(
      'Sub',
      this.op('Sub', sum!, rows),
      this.op('Mul', aZero, this.floats(columns, [n])),
    );
    return this.finish('Cast', [shifted], 'int32');
  }

  /** A 1×1 convolution of [n c h w] in one group. */
  conv(w: Tensor, tensorOf: (name: string | undefined) => Tensor | undefined): Node[] {
    const [outer, inner] = w.dims as [number, number];
    const [x, xScale, xZero, , wScale, , yScale, yZero, bias] = this.node.inputs as string[];
    const weights = integersOf(w);
    const float = this.cast(x!, 'float32');
    let sum: string | undefined;
    for (let i = 0; i < inner; i += 2) {
      const pair = Math.min(2, inner - i);
      const part = this.op('Slice', float, this.integers([i]), this.integers([i + pair]), this.integers([1]));
      const own = Array.from({ length: outer * pair }, (_, k) => weights[Math.floor(k / pair) * inner + i + (k % pair)]!); // prettier-ignore
      const product = this.op('Conv', part, this.floats(own, [outer, pair, 1, 1]));
      const clipped = this.op('Clip', product, this.floats([-32768], []), this.floats([32767], []));
      sum = sum === undefined ? clipped : this.op('Add', sum, clipped);
    }
    const zero = integersOf(tensorOf(xZero)!)[0]!;
    const biases = bias ? integersOf(tensorOf(bias)!) : new Array<number>(outer).fill(0);
    const addends = biases.map((b, o) => b - zero * weights.slice(o * inner, (o + 1) * inner).reduce((s, v) => s + v, 0)); // prettier-ignore
    const whole = this.op('Add', sum!, this.floats(addends, [1, outer, 1, 1]));
    const scaled = this.op('Mul', whole, this.op('Div', this.op('Mul', xScale!, wScale!), yScale!));
    return this.finish('QuantizeLinear', [scaled, this.floats([1], []), yZero!]);
  }

  private op(kind: string, ...inputs: string[]): string {
    const output = `${this.node.outputs[0]}:saturating:${this.nodes.length}`;
    this.nodes.push(makeNode(kind, inputs, output));
    return output;
  }

  private cast(value: string, dtype: DataType): string {
    const output = this.op('Cast', value);
    this.nodes.push(withType(this.nodes.pop()!, dtype));
    return output;
  }

  private finish(kind: string, inputs: readonly string[], dtype?: DataType): Node[] {
    const node = makeNode(kind, inputs, this.node.outputs[0]!);
    return [...this.nodes, dtype === undefined ? node : withType(node, dtype)];
  }

  private floats(values: readonly number[], dims: readonly number[]): string {
    return this.add(floatTensor('', values, dims));
  }

  private integers(values: readonly number[]): string {
    return this.add(integerTensor('', values));
  }

  private add(tensor: Tensor): string {
    const name = `saturating:${this.added.length}`;
    this.added.push({ ...tensor, name });
    return name;
  }
}

function withType(node: Node, dtype: DataType): Node {
  return withAttribute(node, 'to', { type: 'int', value: BigInt(dataTypeToNumber(dtype)) });
}
