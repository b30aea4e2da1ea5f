import { axisOf, keptBefore, type RewriteRules } from '../rule.js';

export const indexing: RewriteRules = {
  Slice: {
    reads: ['starts', 'ends', 'axes', 'steps'],
    change(op) {
      const x = op.input(0);
      const starts = op.integers('starts');
      const ends = op.integers('ends');
      if (!starts || !ends) return {};
      const axes = op.integers('axes') ?? starts.map((_, i) => i);
      const steps = op.integers('steps');
      /** A bound on a pruned axis counts what is kept before it; bounds outside the axis stay open. */
      const moved = (bound: number, i: number): number => {
        const axis = x[axisOf(axes[i]!, x.length)]!;
        if (!axis.mask || bound > axis.before || bound < -axis.before) return bound;
        // With steps whole runs go: the place in the first stays, and from the end on nothing else moves.
        if ((steps?.[i] ?? 1) > 1) return bound < steps![i]! ? bound : bound - axis.before + axis.after;
        return keptBefore(axis, bound < 0 ? bound + axis.before : bound);
      };
      return { ints: { starts: starts.map(moved), ends: ends.map(moved) } };
    },
  },
};
