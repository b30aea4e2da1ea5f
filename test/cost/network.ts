import { coupleAxes } from '../../src/axes/couple.js';
import { costModel, type CostModel } from '../../src/cost/cost.js';
import { buildGroups } from '../../src/groups/build.js';
import type { Grouping, PruningGroup } from '../../src/groups/group.js';
import type { Node } from '../../src/onnx/model.js';
import type { Tensor } from '../../src/onnx/tensor.js';
import { elementCount } from '../../src/onnx/tensor.js';
import { floatTensor, integersOf, integerTensor, type FloatType } from '../../src/onnx/values.js';
import { fillNormal, randomGenerator } from '../../src/random/random.js';
import { model, node, value } from '../shapes/build-model.js';

/** A network under construction that knows its shapes: shapes by hand, so that tests need no runtime. */
export class Network {
  readonly shapes = new Map<string, readonly number[]>();
  readonly weights = new Map<string, Tensor>();
  private readonly nodes: Node[] = [];
  private readonly inputs: string[] = [];
  private readonly random = randomGenerator(1);

  constructor(
    private readonly dtype: FloatType = 'float32',
    /** Replaces the random elements of a weight. */
    private readonly elements?: (name: string, dims: readonly number[]) => ArrayLike<number> | undefined,
  ) {}

  input(name: string, ...dims: number[]): string {
    this.inputs.push(name);
    this.shapes.set(name, dims);
    return name;
  }

  weight(name: string, ...dims: number[]): string {
    const values = fillNormal(new Float64Array(elementCount(dims)), this.random);
    this.weights.set(name, floatTensor(name, this.elements?.(name, dims) ?? values, dims, this.dtype));
    return name;
  }

  add(
    op: string,
    name: string,
    inputs: readonly string[],
    dims: readonly number[],
    attributes: Parameters<typeof node>[3] = {},
  ): string {
    this.nodes.push(node(op, inputs, [`${name}:out`], attributes, name));
    this.shapes.set(`${name}:out`, dims);
    return `${name}:out`;
  }

  conv(
    x: string,
    name: string,
    channels: number,
    kernel: number,
    stride = 1,
    group = 1,
    bias = true,
  ): string {
    const [n, c, h, w] = this.shapes.get(x) as [number, number, number, number];
    const inputs = [x, this.weight(`${name}.weight`, channels, c / group, kernel, kernel)];
    if (bias) inputs.push(this.weight(`${name}.bias`, channels));
    const pad = kernel >> 1;
    const out = (size: number): number => Math.floor((size + 2 * pad - kernel) / stride) + 1;
    const attributes = { group, strides: [stride, stride], pads: [pad, pad, pad, pad] };
    return this.add('Conv', name, inputs, [n, channels, out(h), out(w)], attributes);
  }

  norm(x: string, name: string): string {
    const dims = this.shapes.get(x)!;
    const parameters = ['weight', 'bias', 'mean', 'var'].map((p) => this.weight(`${name}.${p}`, dims[1]!));
    return this.add('BatchNormalization', name, [x, ...parameters], dims);
  }

  relu(x: string): string {
    return this.add('Relu', `relu ${x}`, [x], this.shapes.get(x)!);
  }

  sum(a: string, b: string): string {
    return this.add('Add', `${a} + ${b}`, [a, b], this.shapes.get(a)!);
  }

  concat(...parts: string[]): string {
    const [n, , ...rest] = this.shapes.get(parts[0]!)!;
    const channels = parts.reduce((total, part) => total + this.shapes.get(part)![1]!, 0);
    return this.add('Concat', `concat ${parts.join()}`, parts, [n!, channels, ...rest], { axis: 1 });
  }

  /** Global average pooling and a classifier. */
  head(x: string, name: string, classes: number): string {
    const [n, c] = this.shapes.get(x)!;
    const pooled = this.add('GlobalAveragePool', `${name} pool`, [x], [n!, c!, 1, 1]);
    const flat = this.add('Flatten', `${name} flatten`, [pooled], [n!, c!]);
    const inputs = [flat, this.weight(`${name}.weight`, classes, c!), this.weight(`${name}.bias`, classes)];
    return this.add('Gemm', name, inputs, [n!, classes], { transB: 1 });
  }

  linear(x: string, name: string, width: number): string {
    const dims = this.shapes.get(x)!;
    const inputs = [x, this.weight(`${name}.weight`, dims.at(-1)!, width)];
    return this.add('MatMul', name, inputs, [...dims.slice(0, -1), width]);
  }

  layerNorm(x: string, name: string): string {
    const dims = this.shapes.get(x)!;
    const width = dims.at(-1)!;
    const inputs = [x, this.weight(`${name}.weight`, width), this.weight(`${name}.bias`, width)];
    return this.add('LayerNormalization', name, inputs, dims, { axis: -1 });
  }

  /** Self-attention of [n, s, width] with separate weights. */
  attention(x: string, name: string, heads: number, headDim: number): string {
    const [n, s, width] = this.shapes.get(x) as [number, number, number];
    this.weights.set(`${name}.split`, integerTensor(`${name}.split`, [n, s, heads, headDim]));
    this.weights.set(`${name}.merge`, integerTensor(`${name}.merge`, [n, s, heads * headDim]));
    const split = (part: string, perm: readonly number[]): string => {
      const flat = this.linear(x, `${name}.${part}`, heads * headDim);
      const nested = this.add(
        'Reshape',
        `${name}.${part} split`,
        [flat, `${name}.split`],
        [n, s, heads, headDim],
      );
      const dims = perm.map((axis) => [n, s, heads, headDim][axis]!);
      return this.add('Transpose', `${name}.${part} turn`, [nested], dims, { perm });
    };
    const q = split('q', [0, 2, 1, 3]);
    const k = split('k', [0, 2, 3, 1]);
    const v = split('v', [0, 2, 1, 3]);
    const logits = this.add('MatMul', `${name}.scores`, [q, k], [n, heads, s, s]);
    const shares = this.add('Softmax', `${name}.softmax`, [logits], [n, heads, s, s], { axis: -1 });
    const mixed = this.add('MatMul', `${name}.mix`, [shares, v], [n, heads, s, headDim]);
    const back = this.add('Transpose', `${name}.back`, [mixed], [n, s, heads, headDim], {
      perm: [0, 2, 1, 3],
    });
    const merged = this.add('Reshape', `${name}.merged`, [back, `${name}.merge`], [n, s, heads * headDim]);
    return this.linear(merged, `${name}.out`, width);
  }

  build(output: string): BuiltNetwork {
    const initializers = [...this.weights.values()];
    const inputs = this.inputs.map((name) => value(name, this.shapes.get(name)));
    const outputs = [value(output, this.shapes.get(output))];
    const built = model({ nodes: this.nodes, initializers, inputs, outputs });
    const analysis = coupleAxes(built, {
      shapeOf: (name) => this.shapes.get(name),
      numbersOf: (name) => {
        const tensor = this.weights.get(name);
        return tensor?.dtype === 'int64' ? integersOf(tensor) : undefined;
      },
    });
    const grouping = buildGroups(analysis);
    const cost = costModel(grouping);
    return { grouping, cost, network: this, nodes: this.nodes };
  }

  dims(name: string): readonly number[] {
    return this.weights.get(name)?.dims ?? this.shapes.get(name)!;
  }
}

export interface BuiltNetwork {
  readonly grouping: Grouping;
  readonly cost: CostModel;
  readonly network: Network;
  readonly nodes: readonly Node[];
}

/** The group with a member of this tensor and axis. */
export function groupOf({ grouping }: BuiltNetwork, tensor: string, axis = 0): PruningGroup {
  const found = grouping.groups.filter(({ members }) =>
    members.some((member) => member.parameter.source.name === tensor && member.axis === axis),
  );
  if (found.length !== 1) throw new Error(`${found.length} groups on axis ${axis} of '${tensor}'`);
  return found[0]!;
}

/** A chain of two convolutions and a classifier, of given widths. */
export function chain(a = 8, b = 6, ...options: ConstructorParameters<typeof Network>): BuiltNetwork {
  const net = new Network(...options);
  const x = net.relu(net.norm(net.conv(net.input('x', 1, 3, 8, 8), 'conv1', a, 3), 'bn1'));
  return net.build(net.head(net.relu(net.conv(x, 'conv2', b, 3, 2)), 'fc', 5));
}

/** Two branches concatenated, and a residual sum. */
export function branches(
  a = 4,
  b = 6,
  c = 8,
  ...options: ConstructorParameters<typeof Network>
): BuiltNetwork {
  const net = new Network(...options);
  const x = net.input('x', 1, 3, 8, 8);
  const joined = net.concat(net.conv(x, 'left', a, 3), net.conv(x, 'right', b, 1));
  const sum = net.sum(net.conv(joined, 'mix', c, 1), net.conv(x, 'skip', c, 1));
  return net.build(net.head(net.relu(sum), 'fc', 5));
}

/** Pointwise, grouped, depthwise, pointwise. */
export function grouped(groups = 3, inner = 4, width = 10): BuiltNetwork {
  const net = new Network();
  const x = net.conv(net.input('x', 1, 3, 8, 8), 'expand', groups * inner, 1);
  const y = net.relu(net.conv(net.relu(x), 'grouped', groups * inner, 3, 1, groups));
  const z = net.conv(y, 'project', width, 1);
  return net.build(net.head(net.relu(net.conv(net.relu(z), 'depthwise', width, 3, 1, width)), 'fc', 5));
}

/** One transformer block on a stream of `width`. */
export function transformer(heads = 3, headDim = 4, width = 10, hidden = 20): BuiltNetwork {
  const net = new Network();
  const x = net.linear(net.input('x', 1, 5, 6), 'embed', width);
  const y = net.sum(x, net.attention(net.layerNorm(x, 'ln1'), 'attention', heads, headDim));
  const mlp = net.linear(net.relu(net.linear(net.layerNorm(y, 'ln2'), 'up', hidden)), 'down', width);
  return net.build(net.linear(net.layerNorm(net.sum(y, mlp), 'ln3'), 'classify', 7));
}
