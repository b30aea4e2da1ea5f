import { stepsFor, type Steps, type Value } from './builder.js';
import { linear } from './layers.js';

export const recurrent: Steps = stepsFor('LSTM GRU RNN', (op) => (g, c) => {
  const x = g.ofRank(c, 3, ({ dims }) => dims[1]! <= 8);
  if (!x) return;
  const [n, steps, inner] = x.dims as [number, number, number];
  const gates = { LSTM: 4, GRU: 3, RNN: 1 }[op]!;
  const hidden = c.of([2, 3, 4]);
  const direction = c.of(['forward', 'reverse', 'bidirectional']);
  const d = direction === 'bidirectional' ? 2 : 1;
  const turned = g.op('Transpose', [x], [steps, n, inner], { perm: [1, 0, 2] });
  const scale = 1 / Math.sqrt(hidden + inner);
  const weights = [
    g.weight([d, gates * hidden, inner], c, { scale }),
    g.weight([d, gates * hidden, hidden], c, { scale }),
    c.flag() ? g.weight([d, 2 * gates * hidden], c) : undefined,
  ];
  const lengths =
    !g.settings.symbolic && c.below(3) === 1
      ? g.ints(Array.from({ length: n }, () => 1 + c.below(steps)), [n], 'int32') // prettier-ignore
      : undefined;
  // States that another layer makes, or that are parameters.
  const state = (): Value | undefined => {
    if (c.below(3) > 0) return undefined;
    if (c.flag() && !g.settings.symbolic) return g.weight([d, n, hidden], c);
    const pooled = g.reshape(x, [n, steps * inner], c);
    const made = g.reshape(linear(g, pooled, c, d * hidden), [n, d, hidden], c);
    return g.op('Transpose', [made], [d, n, hidden], { perm: [1, 0, 2] });
  };
  const states = op === 'LSTM' ? [state(), state()] : [state()];
  const peephole = op === 'LSTM' && c.flag() ? [g.weight([d, 3 * hidden], c)] : [];
  const [y, last] = g.multi(
    op,
    [turned, ...weights, lengths, ...states, ...peephole],
    [
      [steps, d, n, hidden],
      [d, n, hidden],
    ],
    { hidden_size: hidden, direction, ...(op === 'GRU' && { linear_before_reset: c.below(2) }) },
  ) as [Value, Value];
  if (c.flag()) {
    const nested = g.op('Transpose', [y], [n, steps, d, hidden], { perm: [2, 0, 1, 3] });
    g.offer(g.reshape(nested, [n, steps, d * hidden], c));
  } else g.step('Transpose', [last], [n, d, hidden], { perm: [1, 0, 2] });
});
