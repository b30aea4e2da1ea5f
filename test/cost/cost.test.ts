import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Factor } from '../../src/axes/axis.js';
import { blockedBy, coverage } from '../../src/cost/coverage.js';
import { isFloat } from '../../src/onnx/data-type.js';
import { elementCount } from '../../src/onnx/tensor.js';
import { branches, chain, groupOf, grouped, Network, transformer, type BuiltNetwork } from './network.js';

/** Multiply-adds by walking over the shapes of the nodes as they are. */
function naiveMacs({ network, nodes }: BuiltNetwork): number {
  let total = 0;
  for (const { opType, inputs, outputs, attributes } of nodes) {
    const out = elementCount(network.dims(outputs[0]!));
    const dims = inputs.map((name) => network.dims(name));
    if (opType === 'Conv') total += out * elementCount(dims[1]!.slice(1));
    else if (opType === 'MatMul') total += out * dims[0]!.at(-1)!;
    else if (opType === 'Gemm') total += out * dims[1]![attributes.has('transB') ? 1 : 0]!;
  }
  return total;
}

function naiveParameters({ network }: BuiltNetwork): number {
  return [...network.weights.values()]
    .filter(({ dtype }) => isFloat(dtype))
    .reduce((total, { dims }) => total + elementCount(dims), 0);
}

function naiveWeights({ network, nodes }: BuiltNetwork): number {
  return nodes
    .filter(({ opType }) => ['Conv', 'MatMul', 'Gemm'].includes(opType))
    .reduce((total, { inputs }) => {
      const tensor = network.weights.get(inputs[1]!);
      return total + (tensor ? elementCount(tensor.dims) : 0);
    }, 0);
}

/** The cost of `dense` with groups cut to sizes, against a count on the network built at those sizes. */
function expectSameCost(dense: BuiltNetwork, small: BuiltNetwork, sizes: [string, number, number][]): void {
  const counts = new Map<Factor, number>(
    sizes.map(([tensor, axis, size]) => [groupOf(dense, tensor, axis).factor, size]),
  );
  const count = (factor: Factor): number => counts.get(factor) ?? factor.size;
  expect(dense.cost.macs(count)).toBe(naiveMacs(small));
  expect(dense.cost.parameters(count)).toBe(naiveParameters(small));
  expect(dense.cost.bytes(count)).toBe(4 * naiveParameters(small));
  expect(dense.cost.weights(count)).toBe(naiveWeights(small));
  const byNode = dense.cost.byNode(count);
  expect(byNode.reduce((total, { macs }) => total + macs, 0)).toBe(naiveMacs(small));
  expect(byNode.reduce((total, { parameters }) => total + parameters, 0)).toBe(naiveParameters(small));
}

const width = (most: number) => fc.integer({ min: 2, max: most });

describe('the cost of a plan equals the count on a network built at its sizes', () => {
  it('for a chain', () => {
    fc.assert(
      fc.property(width(8), width(6), (a, b) =>
        expectSameCost(chain(8, 6), chain(a, b), [
          ['conv1.weight', 0, a],
          ['conv2.weight', 0, b],
        ]),
      ),
      { numRuns: 20 },
    );
  });

  it('for a concatenation and a residual sum', () => {
    fc.assert(
      fc.property(width(4), width(6), width(8), (a, b, c) =>
        expectSameCost(branches(4, 6, 8), branches(a, b, c), [
          ['left.weight', 0, a],
          ['right.weight', 0, b],
          ['mix.weight', 0, c],
        ]),
      ),
      { numRuns: 20 },
    );
  });

  it('for the channels inside the groups of a convolution', () => {
    // Both of its sides shrink alike, as the builder has one width for them.
    const dense = grouped(3, 4, 10);
    const inner = groupOf(dense, 'grouped.weight', 1);
    const outer = dense.grouping.groups.find(
      ({ grouped: isGrouped, members }) =>
        !isGrouped && members.some(({ parameter }) => parameter.source.name === 'grouped.bias'),
    )!;
    const count = (factor: Factor): number =>
      factor === inner.factor || factor === outer.factor ? 2 : factor.size;
    const small = grouped(3, 2, 10);
    expect(dense.cost.macs(count)).toBe(naiveMacs(small));
    expect(dense.cost.parameters(count)).toBe(naiveParameters(small));
  });

  it('for attention', () => {
    fc.assert(
      fc.property(width(3), width(4), width(10), width(20), (heads, headDim, stream, hidden) => {
        const dense = transformer(3, 4, 10, 20);
        const counts = new Map(
          dense.grouping.groups.map((group) => [
            group.factor,
            group.attention === 'heads'
              ? heads
              : group.attention === 'head-dims'
                ? headDim
                : group.normalizedBy.length > 0
                  ? stream
                  : hidden,
          ]),
        );
        const count = (factor: Factor): number => counts.get(factor) ?? factor.size;
        const small = transformer(heads, headDim, stream, hidden);
        expect(dense.cost.macs(count)).toBe(naiveMacs(small));
        expect(dense.cost.parameters(count)).toBe(naiveParameters(small));
        expect(dense.cost.weights(count)).toBe(naiveWeights(small));
      }),
      { numRuns: 20 },
    );
  });
});

describe('what is counted', () => {
  it('agrees with the published counts of resnet18 at 128 x 128', () => {
    const net = new Network('float32', (_, dims) => new Float32Array(elementCount(dims)));
    let x = net.relu(net.conv(net.input('x', 1, 3, 128, 128), 'stem', 64, 7, 2, 1, false));
    x = net.add('MaxPool', 'pool', [x], [1, 64, 32, 32], {
      kernel_shape: [3, 3],
      strides: [2, 2],
      pads: [1, 1, 1, 1],
    });
    [64, 128, 256, 512].forEach((channels, stage) => {
      for (let block = 0; block < 2; block++) {
        const name = `layer${stage}.${block}`;
        const stride = stage > 0 && block === 0 ? 2 : 1;
        const inner = net.relu(net.conv(x, `${name}.conv1`, channels, 3, stride, 1, false));
        const outer = net.conv(inner, `${name}.conv2`, channels, 3, 1, 1, false);
        x = net.relu(
          net.sum(outer, stride === 2 ? net.conv(x, `${name}.down`, channels, 1, 2, 1, false) : x),
        );
      }
    });
    const { cost, grouping } = net.build(net.head(x, 'fc', 1000));
    expect(cost.macs()).toBe(592_695_296);
    expect(cost.weights()).toBe(11_678_912);
    // Torch-Pruning 1.6 at ratio 0.5.
    const half = (factor: Factor): number => (grouping.byFactor.has(factor) ? factor.size / 2 : factor.size);
    expect(cost.macs(half)).toBe(157_935_616);
    expect(cost.weights(half)).toBe(3_050_080);
  });

  it('counts a recurrent layer at every step, and both of its matrices', () => {
    const net = new Network();
    const x = net.input('x', 7, 2, 5);
    const inputs = [x, net.weight('W', 1, 24, 5), net.weight('R', 1, 24, 6), net.weight('B', 1, 48)];
    const y = net.add('LSTM', 'lstm', inputs, [7, 1, 2, 6], { hidden_size: 6 });
    const built = net.build(y);
    expect(built.cost.macs()).toBe(7 * 2 * (24 * 5 + 24 * 6));
    expect(built.cost.weights()).toBe(24 * 5 + 24 * 6);
    expect(built.cost.parameters()).toBe(24 * 5 + 24 * 6 + 48);
  });

  it('counts transposed convolutions, vectors, transposed operands and Einsum', () => {
    const price = (op: string, shapes: number[][], out: number[], attributes = {}): number => {
      const net = new Network();
      const inputs = shapes.map((dims, i) => net.input(`x${i}`, ...dims));
      return net.build(net.add(op, 'node', inputs, out, attributes)).cost.macs();
    };
    expect(price('ConvTranspose', [[1, 6, 5, 5], [6, 4, 2, 2]], [1, 8, 10, 10], { group: 2, strides: [2, 2] })).toBe(6 * 25 * 4 * 4); // prettier-ignore
    expect(price('Gemm', [[7, 3], [7, 5]], [3, 5], { transA: 1 })).toBe(105); // prettier-ignore
    expect(price('MatMul', [[7], [7, 5]], [5])).toBe(35);
    expect(price('MatMul', [[7], [7]], [])).toBe(7);
    expect(price('MatMul', [[2, 1, 3, 7], [4, 7, 5]], [2, 4, 3, 5])).toBe(2 * 4 * 3 * 7 * 5); // prettier-ignore
    expect(price('Einsum', [[2, 3, 4], [2, 4, 5]], [2, 3, 5], { equation: 'bij,bjk->bik' })).toBe(120); // prettier-ignore
    expect(price('Einsum', [[2, 1, 4], [3, 4, 5]], [2, 3, 5], { equation: '...j,...jk' })).toBe(2 * 3 * 4 * 5); // prettier-ignore
    expect(price('Einsum', [[2, 3]], [3, 2], { equation: 'ij->ji' })).toBe(0);
    expect(price('Relu', [[2, 3]], [2, 3])).toBe(0);
  });

  it('counts a tied matrix once and a shared vector at each use', () => {
    const net = new Network();
    net.weight('shared matrix', 6, 6);
    net.weight('shared vector', 6);
    let x = net.input('x', 2, 6);
    for (const i of [1, 2]) {
      x = net.add('MatMul', `matmul${i}`, [x, 'shared matrix'], [2, 6]);
      x = net.add('Add', `add${i}`, [x, 'shared vector'], [2, 6]);
    }
    const { cost } = net.build(x);
    expect(cost.parameters()).toBe(36 + 2 * 6);
    expect(cost.weights()).toBe(36);
    expect(cost.macs()).toBe(2 * 2 * 36);
    expect(cost.byNode().map(({ parameters }) => parameters)).toEqual([36, 6, 0, 6]);
  });

  it('finds a weight behind ops that rearrange it, and leaves integer constants out', () => {
    const net = new Network();
    const x = net.input('x', 2, 6);
    const turned = net.add('Transpose', 'turn', [net.weight('weight', 4, 6)], [6, 4], { perm: [1, 0] });
    const built = net.build(net.add('MatMul', 'matmul', [x, turned], [2, 4]));
    expect(built.cost.weights()).toBe(24);
    const { cost } = transformer();
    expect(cost.counted.every(({ source }) => isFloat(source.tensor.dtype))).toBe(true);
  });

  it('lists what it could not price', () => {
    const net = new Network();
    const x = net.input('x', NaN, 6);
    const { cost } = net.build(net.linear(x, 'fc', 4));
    expect(cost.unpriced).toEqual([0]);
    expect(cost.macs()).toBe(24);
  });
});

describe('coverage', () => {
  it('is what remains at one index per prunable factor', () => {
    const dense = chain(8, 6);
    const least = naiveParameters(chain(1, 1));
    expect(coverage(dense.grouping, dense.cost).parameters).toBeCloseTo(
      1 - least / naiveParameters(dense),
      12,
    );
    expect(coverage(dense.grouping, dense.cost).macs).toBeCloseTo(
      1 - naiveMacs(chain(1, 1)) / naiveMacs(dense),
      12,
    );
  });

  it('is smaller without the groups that statistics are taken over', () => {
    const { grouping, cost } = transformer();
    const all = coverage(grouping, cost);
    const some = coverage(grouping, cost, { residualStream: false });
    expect(some.parameters).toBeLessThan(all.parameters);
    expect(some.parameters).toBeGreaterThan(0);
  });

  it('ranks the reasons by the parameters they hold back', () => {
    const net = new Network();
    const x = net.conv(net.input('x', 1, 3, 8, 8), 'conv', 8, 3);
    const odd = net.add('Mystery', 'odd', [x], [1, 8, 8, 8]);
    const { grouping, cost } = net.build(net.head(odd, 'fc', 50));
    const reasons = blockedBy(grouping, cost);
    expect(reasons.map(({ parameters }) => parameters)).toEqual(
      reasons.map(({ parameters }) => parameters).sort((a, b) => b - a),
    );
    const mystery = reasons.find(({ blocker }) => blocker.node === 'odd')!;
    expect(mystery.blocker.why).toContain('no rule');
    // conv.weight 8·3·3·3, its bias 8 and fc.weight 50·8.
    expect(mystery.parameters).toBe(216 + 8 + 400);
  });
});
