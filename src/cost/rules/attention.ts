import type { Axis } from '../../axes/axis.js';
import type { CostContext, CostRules, Price } from '../rule.js';

/** Every query meets every key on its dims, and every value: queries × keys × (all query dims + all value dims). */
function products(queries: readonly Axis[], keys: Axis, output: readonly Axis[]): Price['terms'] {
  return [
    [...queries, keys],
    [...output, keys],
  ];
}

/** The axis of keys: that of the cache where there is one, past keys included. */
function keysOf(op: CostContext, otherwise: Axis): Axis {
  const cache = op.node.outputs[1] ? op.output(1) : [];
  return cache.length >= 4 ? cache.at(-2)! : otherwise;
}

function standard(op: CostContext): Price {
  const k = op.input(1);
  const keys = keysOf(op, k.length === 4 ? k[2]! : k[1]!);
  return { terms: products(op.input(0), keys, op.output()), operands: [0, 1, 2] };
}

function packed(op: CostContext): Price {
  const x = op.input(0);
  // Queries are as wide as the output but for unequal dims of values.
  const output = op.output();
  const projection = [x[0]!, x[1]!, ...op.input(1)];
  return { terms: [projection, ...products(output, keysOf(op, x[1]!), output)], operands: [0, 1] };
}

function multiHead(op: CostContext): Price {
  const [q, k] = [op.input(0), op.input(1)];
  const isPacked = q.length === 5;
  const keys = keysOf(op, isPacked ? q[1]! : k.length === 4 ? k[2]! : k[1]!);
  const queries = isPacked ? [q[0]!, q[1]!, q[2]!, q[4]!] : q;
  return { terms: products(queries, keys, op.output()), operands: [0, 1, 2] };
}

function groupQuery(op: CostContext): Price {
  const output = op.output();
  return { terms: products(output, keysOf(op, op.input(0)[1]!), output), operands: [0, 1, 2] };
}

export const attention: CostRules = {
  Attention: standard,
  'com.microsoft::Attention': packed,
  'com.microsoft::MultiHeadAttention': multiHead,
  'com.microsoft::GroupQueryAttention': groupQuery,
};
