import { GraphBuilder } from '../ops/build.js';

/** Writes the nodes of backward graphs, for opset 16 or later, each value under a new name. */
export class Emitter extends GraphBuilder {
  /** @param prefix what no other name of the graph begins with */
  constructor(prefix: string, opset: number) {
    let count = 0;
    super(opset, () => `${prefix}${count++}`);
  }

  sum(value: string, axes: readonly number[], keepDims = false): string {
    return this.reduce('sum', value, axes, keepDims);
  }

  mean(value: string, axes: readonly number[], keepDims = false): string {
    return this.reduce('mean', value, axes, keepDims);
  }

  /** 1 where the condition (a boolean value) holds, else 0. */
  indicator(condition: string): string {
    return this.cast(condition, 'float32');
  }

  /**
   * 1 where a value is above 0, else 0. As HardSigmoid of a huge slope: onnxruntime's Sign takes four times as long, and
   * Greater with Cast twice.
   */
  step(value: string): string {
    return this.hardSigmoid(value, 3e38, 0);
  }

  /** Sums the axes that broadcasting repeated, so that a value of shape `from` gets shape `to`. */
  unbroadcast(value: string, from: readonly number[], to: readonly number[]): string {
    const lead = from.length - to.length;
    const axes = from.flatMap((size, axis) =>
      axis < lead || (to[axis - lead] === 1 && size !== 1) ? [axis] : [],
    );
    const summed = this.sum(value, axes, true);
    return lead > 0 ? this.reshape(summed, to) : summed;
  }
}
