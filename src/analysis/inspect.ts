import type { Analysis } from './analyze.js';
import type { Factor } from '../axes/axis.js';
import { nodeLabel } from '../onnx/names.js';
import { showAxis } from '../axes/show.js';
import { blockedBy, coverage, type Coverage, type BlockerCost } from '../cost/coverage.js';
import { savingOf } from '../cost/saving.js';
import { blocksOf } from '../depth/blocks.js';
import { findBranches, type BlockedBranch } from '../depth/branches.js';
import type { Member, PruningGroup } from '../groups/group.js';

/** A group in plain data. */
export interface GroupSummary {
  readonly id: string;
  /** Name of the first tensor that produces it. */
  readonly name: string;
  /** The node that reads this tensor, by name or `op#index`. */
  readonly node: string;
  readonly size: number;
  readonly attention: 'heads' | 'head-dims' | undefined;
  /** The groups of a grouped convolution. */
  readonly grouped: boolean;
  /** Nodes that take statistics over it: it is pruned only with `residualStream`. */
  readonly normalizedBy: readonly string[];
  /** Parameters that would go if one channel was kept: what this group can save at most. */
  readonly parameters: number;
  readonly macs: number;
  readonly members: readonly {
    readonly tensor: string;
    readonly axis: number;
    readonly role: Member['role'];
    /** The whole axis in the notation of the rules, other groups by their ids, e.g. `(g3 g4)`. */
    readonly notation: string;
  }[];
}

/** A residual branch in plain data: what `depth` removes. */
export interface BranchSummary {
  readonly id: string;
  /** The node that adds it, by name or `op#index`. */
  readonly node: string;
  /** Number of the block it belongs to: the sequence of branches that repeats. */
  readonly block: number;
  /** What the model costs less without it. */
  readonly parameters: number;
  readonly macs: number;
}

/** What can be pruned of a model and what can't: JSON-ready. */
export interface Inspection {
  readonly nodes: number;
  readonly parameters: number;
  readonly macs: number;
  readonly bytes: number;
  readonly groups: readonly GroupSummary[];
  /** Found at the analysed shapes. */
  readonly branches: readonly BranchSummary[];
  /** Sums that look like the end of a residual branch, and why they can't go. */
  readonly refused: readonly BlockedBranch[];
  readonly coverage: { readonly all: Coverage; readonly withoutResidualStream: Coverage };
  /** The reasons why parameters can't be pruned, the costliest first. */
  readonly blockers: readonly BlockerCost[];
  /** Milliseconds. */
  readonly timings: Analysis['timings'];
}

/** Summarises an analysis. */
export function inspect(analysis: Analysis): Inspection {
  const { model, axes, grouping, cost, timings } = analysis;
  const nameOf = (factor: Factor): string => grouping.byFactor.get(factor)?.id ?? `f${factor.id}`;
  const parameters = cost.parameters();
  const macs = cost.macs();
  const summarize = (group: PruningGroup): GroupSummary => {
    const least = (factor: Factor): number => {
      if (factor.origin?.factor === group.factor) return 1 / group.size;
      return factor === group.factor ? 1 : factor.size;
    };
    const { id, name, size, attention, grouped, normalizedBy } = group;
    const named = group.members.find(({ parameter }) => parameter.source.name === name) ?? group.members[0]!;
    const index = named.parameter.node;
    return {
      id,
      name,
      node: nodeLabel(model.graph.nodes[index]!, index),
      size,
      attention,
      grouped,
      normalizedBy,
      parameters: parameters - cost.parameters(least),
      macs: macs - cost.macs(least),
      members: group.members.map(({ parameter, axis, role }) => ({
        tensor: parameter.source.name,
        axis,
        role,
        notation: showAxis(axes.system, parameter.axes[axis]!, nameOf),
      })),
    };
  };
  return {
    nodes: model.graph.nodes.length,
    parameters,
    macs,
    bytes: cost.bytes(),
    groups: grouping.groups.map(summarize),
    ...summarizeBranches(analysis),
    coverage: {
      all: coverage(grouping, cost),
      withoutResidualStream: coverage(grouping, cost, { residualStream: false }),
    },
    blockers: blockedBy(grouping, cost),
    timings,
  };
}

function summarizeBranches({ model, shapes, grouping, cost }: Analysis) {
  const shapeOf = (value: string) => shapes.of(value);
  const dtypeOf = (value: string) => shapes.dtypeOf(value);
  const { branches, refused } = findBranches({ model, cost, dtypeOf, shapes: [shapeOf] });
  const blocks = blocksOf(branches, 'block');
  const summaries = blocks.flatMap((block, number) =>
    block.map((branch): BranchSummary => {
      const { macs, parameters } = savingOf(grouping, cost, new Set(branch.removes));
      return { id: branch.id, node: branch.name, block: number, parameters, macs };
    }),
  );
  return { branches: summaries, refused };
}
