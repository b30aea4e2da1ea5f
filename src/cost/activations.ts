import type { Axis } from '../axes/axis.js';
import type { Grouping } from '../groups/group.js';
import { bitsOf, type DataType } from '../onnx/data-type.js';
import { capturedNames } from '../onnx/graph-index.js';
import { has } from '../ops/index.js';
import type { CostModel, SizeOf } from './cost.js';
import { evaluate, type Monomial } from './polynomial.js';

/** What is known of values besides their axes. */
interface ValueTypes {
  of(value: string): readonly (number | undefined)[] | undefined;
  dtypeOf(value: string): DataType | undefined;
}

/** A buffer: who writes it and who is the last to read it, by position in the graph (-1 for inputs). */
interface Buffer {
  readonly bytes: (count: SizeOf) => number;
  readonly from: number;
  to: number;
}

/**
 * An estimate of the memory that activations need, in bytes, under any plan; without a count that of the dense model.
 *
 * It is the peak over the nodes, run in the graph's order, of all values that are alive while a node runs: graph inputs
 * and outputs of nodes, each from where it is written to its last reader. Graph outputs live to the end. Constants and
 * what depends on them alone don't count, nor do values whose shape depends on data. A runtime that fuses nodes or
 * writes in place needs less, and one that keeps scratch space in kernels more.
 */
export function activationMemory(
  { analysis }: Grouping,
  cost: CostModel,
  types: ValueTypes,
): (count?: SizeOf) => number {
  const { nodes, inputs, outputs, initializers } = analysis.model.graph;
  const constants = new Set([
    ...initializers.map(({ name }) => name),
    ...analysis.parameters.map(({ source }) => source.name),
  ]);
  const buffers = new Map<string, Buffer>();
  const all: Buffer[] = [];
  const write = (value: string, from: number): void => {
    const bytes = sizeOf(value);
    if (!bytes) return;
    const buffer: Buffer = { bytes, from, to: from };
    buffers.set(value, buffer);
    all.push(buffer);
  };
  const sizeOf = (value: string): Buffer['bytes'] | undefined => {
    const dtype = types.dtypeOf(value);
    const bits = dtype === undefined ? undefined : bitsOf(dtype);
    const axes = analysis.axes.get(value);
    const dims = axes?.map(({ size }) => size) ?? types.of(value);
    if (bits === undefined || !dims || dims.some((dim) => dim === undefined || Number.isNaN(dim))) return;
    return productOf(bits / 8, dims as readonly number[], axes, cost);
  };

  for (const { name } of inputs) if (!constants.has(name)) write(name, -1);
  nodes.forEach((node, index) => {
    const read = [...node.inputs, ...capturedNames(node)];
    for (const value of read) {
      const buffer = buffers.get(value);
      if (buffer) buffer.to = index;
    }
    if (read.every((value) => !value || constants.has(value))) {
      for (const output of node.outputs) constants.add(output);
      return;
    }
    // Runtimes don't copy a value to give it another shape.
    const viewed = has(node, 'view') ? buffers.get(node.inputs[0]!) : undefined;
    for (const output of node.outputs) {
      if (viewed) buffers.set(output, viewed);
      else if (output) write(output, index);
    }
  });
  for (const { name } of outputs) {
    const buffer = buffers.get(name);
    if (buffer) buffer.to = nodes.length - 1;
  }

  return (count = ({ size }) => size) => {
    // What is alive changes only where a buffer begins or ends.
    const change = new Float64Array(nodes.length + 2);
    for (const { bytes, from, to } of all) {
      const size = bytes(count);
      change[from + 1]! += size;
      change[to + 2]! -= size;
    }
    let [alive, peak] = [0, 0];
    for (const step of change) peak = Math.max(peak, (alive += step));
    return peak;
  };
}

/** Bytes of one element times the extents, those of groups at the count's sizes. */
function productOf(
  bytes: number,
  dims: readonly number[],
  axes: readonly Axis[] | undefined,
  cost: CostModel,
): Buffer['bytes'] {
  let constant = bytes;
  const extents: (readonly Monomial[])[] = [];
  dims.forEach((dim, i) => {
    const extent = axes && cost.extentOf(axes[i]!);
    if (extent?.some(({ variables }) => variables.length > 0)) extents.push(extent);
    else constant *= dim;
  });
  return (count) => extents.reduce((size, extent) => size * evaluate(extent, count), constant);
}
