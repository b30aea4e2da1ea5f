import { intAttribute } from '../../onnx/attributes.js';
import { axisOf, keptBefore, type RewriteRules } from '../rule.js';

export const movement: RewriteRules = {
  Reshape: {
    reads: ['shape'],
    change(op) {
      const [x, y] = [op.input(0), op.output()];
      const copiesZero = !intAttribute(op.node, 'allowzero', 0);
      const shape = op.integers('shape')?.map((entry, i) => {
        if (entry === -1) return entry;
        if (entry === 0 && copiesZero && x[i]?.after === y[i]!.after) return entry;
        return y[i]!.after;
      });
      return { ints: { shape } };
    },
  },
  Expand: {
    reads: ['shape'],
    change(op) {
      const y = op.output();
      const given = op.integers('shape');
      // A 1 takes the input's size; the shape may be shorter than the input's rank.
      const shape = given?.map((entry, i) => (entry === 1 ? entry : y[y.length - given.length + i]!.after));
      return { ints: { shape } };
    },
  },
  Tile: {
    reads: ['repeats'],
    change(op) {
      const [x, y] = [op.input(0), op.output()];
      const isChanged = (i: number): boolean => (x[i]!.mask ?? y[i]!.mask) !== undefined;
      // The size of an axis that keeps all may be unknown.
      const repeated = (times: number, i: number): number =>
        isChanged(i) ? y[i]!.after / x[i]!.after : times;
      return { ints: { repeats: op.integers('repeats')?.map(repeated) } };
    },
  },
  Split: {
    reads: ['split'],
    change(op) {
      const x = op.input(0);
      const axis = axisOf(intAttribute(op.node, 'axis', 0), x.length);
      const sizes = Array.from({ length: op.outputCount }, (_, i) => op.output(i)[axis]!);
      if ([x[axis]!, ...sizes].every(({ mask }) => !mask)) return {};
      if (!op.integers('split')) {
        // Without sizes the pieces are equal, or from opset 18 on all but the last.
        const piece = Math.ceil(x[axis]!.after / sizes.length);
        const uniform = sizes.every(({ after }, i) => after === Math.min(piece, x[axis]!.after - i * piece));
        if (uniform && (op.opset >= 18 || x[axis]!.after % sizes.length === 0)) return {};
      }
      return { ints: { split: sizes.map(({ after }) => after) }, without: ['num_outputs'] };
    },
  },
  Squeeze: {
    reads: ['axes'],
    change(op) {
      // Without axes it drops every size of 1, and pruning may leave an axis with one index.
      if (op.integers('axes') || !op.input(0).some(({ before, after }) => after === 1 && before !== 1))
        return {};
      return { ints: { axes: op.input(0).flatMap(({ before }, axis) => (before === 1 ? [axis] : [])) } };
    },
  },
  Resize: {
    reads: ['sizes', 'axes'],
    change(op) {
      const y = op.output();
      const axes = op.integers('axes') ?? y.map((_, i) => i);
      return { ints: { sizes: op.integers('sizes')?.map((_, i) => y[axisOf(axes[i]!, y.length)]!.after) } };
    },
  },
  Pad: {
    reads: ['pads', 'axes'],
    change(op) {
      const y = op.output();
      const pads = op.integers('pads');
      if (!pads) return {};
      const half = pads.length / 2;
      const axes = op.integers('axes') ?? Array.from({ length: half }, (_, i) => i);
      const kept = pads.map((pad, i) => {
        const axis = y[axisOf(axes[i % half]!, y.length)]!;
        if (!axis.mask || pad < 0) return pad;
        return i < half ? keptBefore(axis, pad) : axis.after - keptBefore(axis, axis.before - pad);
      });
      return { ints: { pads: kept } };
    },
  },
};
