import type { AxisCoupling } from '../axes/couple.js';
import { parseNotation } from '../axes/notation.js';
import type { AxisRule } from '../axes/rule.js';
import { PruneError } from '../errors.js';
import type { Model } from '../onnx/model.js';
import { qualifiedName } from '../ops/index.js';

type Rules = Readonly<Record<string, AxisRule>>;

/**
 * Refuses rules of the user's that would do nothing.
 * @throws PruneError `invalid-option` for a notation that can't be read, and for an op that the model lacks
 */
export function checkRules({ graph }: Model, rules: Rules = {}): void {
  const present = new Set(graph.nodes.map(qualifiedName));
  for (const [op, rule] of Object.entries(rules)) {
    if (typeof rule === 'string') parseNotation(rule);
    if (!present.has(op))
      throw new PruneError(
        'invalid-option',
        `the model has no op '${op}' that the axis rule is for; its ops are named as prune inspect does, as 'domain::Op' outside the default domain`,
      );
  }
}

/**
 * Refuses notations of the user's that fit no node of their op.
 * @throws PruneError `invalid-option` with the first node and the reason
 */
export function checkTaught({ model, relations, system, axes }: AxisCoupling, rules: Rules = {}): void {
  for (const [op, rule] of Object.entries(rules)) {
    if (typeof rule !== 'string') continue;
    const nodes = [...model.graph.nodes.entries()].filter(([, node]) => qualifiedName(node) === op);
    if (nodes.length === 0 || nodes.some(([index]) => relations[index] !== undefined)) continue;
    const [, { inputs, outputs }] = nodes[0]!;
    const leaves = [...inputs, ...outputs].flatMap((value) => (axes.get(value) ?? []).flatMap((axis) => system.leaves(axis))); // prettier-ignore
    const why = leaves.find(({ blocker }) => blocker?.op === op)?.blocker?.why;
    throw new PruneError(
      'invalid-option',
      `the axis rule of '${op}', ${rule}, fits none of its nodes: ${why ?? 'the ranks of what they read are unknown'}`,
    );
  }
}
