import { bench } from '../bench/bench.js';
import type { CostModel, SizeOf } from '../cost/cost.js';
import { evaluate, polynomialKey, type Monomial } from '../cost/polynomial.js';
import type { Grouping } from '../groups/group.js';
import { encodeModel } from '../onnx/codec.js';
import type { DataType } from '../onnx/data-type.js';
import { inputSpecs, randomInputs } from '../runtime/inputs.js';
import { interpolate, type TimeGrid } from './grid.js';
import { operationsOf } from './operation.js';
import { kernelTimes, type MeasureOptions } from './measure.js';
import { latencyTable } from './table.js';

export interface LatencyModel {
  /** Measured milliseconds of the dense model, median. */
  readonly dense: number;
  /** Predicted milliseconds under a plan; without a count those of the dense model as measured. */
  predict(count?: SizeOf): number;
  /** Share of the dense time that was measured op by op. */
  readonly covered: number;
  /** Distinct operations in the table. */
  readonly operations: number;
}

export interface LatencyOptions extends MeasureOptions {
  /** Shapes of the graph inputs. */
  readonly shapes?: Readonly<Record<string, readonly number[]>> | undefined;
}

/** Seconds that the dense model is timed. */
const denseSeconds = 1;

/**
 * Predicts the latency of plans from measurements: the ops with weights one by one at several widths, in between by
 * interpolation; what the kernels of the dense model take besides is taken to shrink with the sizes of the outputs.
 * The wall time of the dense model sets the scale.
 */
export async function latencyModel(
  grouping: Grouping,
  cost: CostModel,
  dtypeOf: (value: string) => DataType | undefined,
  options: LatencyOptions,
): Promise<LatencyModel> {
  const { runtime, provider, threads, signal, shapes } = options;
  const operations = operationsOf(grouping, cost, dtypeOf);
  const table = await latencyTable(operations, options);
  const bytes = encodeModel(grouping.analysis.model);
  const timing = await bench([{ name: 'dense', model: bytes }], {
    runtime,
    minSeconds: denseSeconds,
    ...(provider && { provider }),
    ...(threads !== undefined && { threads }),
    ...(signal && { signal }),
    ...(shapes && { shapes }),
  });
  const dense = timing.models[0]!.median;

  const entries = operations.map((operation) => ({ operation, grid: table.get(operation.signature)! }));
  const summed = entries.reduce((sum, { operation, grid }) => sum + interpolate(grid, operation.dense), 0);
  const whole = provider === undefined || provider === 'cpu' ? await denseKernelTime(bytes, options) : dense;
  const others = Math.max(0, whole - summed);
  // What kernels don't account for (starting them, waiting for threads) grows with them.
  const scale = dense / (summed + others);
  const rest = scale * others;
  const outputs = outputSizes(grouping, cost);
  const denseOutputs = outputs(({ size }) => size);
  const timeOf = remembered(entries);
  return {
    dense,
    covered: (scale * summed) / dense,
    operations: table.size,
    predict: (count) => {
      if (!count) return dense;
      return scale * timeOf(count) + (rest * outputs(count)) / denseOutputs;
    },
  };
}

async function denseKernelTime(bytes: Uint8Array, options: LatencyOptions): Promise<number> {
  const { runtime, shapes } = options;
  const session = await runtime.load(bytes, { optimization: 'disabled' });
  const specs = inputSpecs(session, { shapes });
  await session.release();
  const kernels = await kernelTimes(bytes, randomInputs(runtime, specs), options);
  return kernels.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
}

/** Sum of the times of all operations; each is interpolated again only where its widths are new. */
function remembered(
  entries: readonly {
    readonly operation: ReturnType<typeof operationsOf>[number];
    readonly grid: TimeGrid;
  }[],
): (count: SizeOf) => number {
  const last = entries.map(() => ({ widths: [] as number[], time: 0 }));
  return (count) =>
    entries.reduce((sum, { operation, grid }, i) => {
      const widths = operation.widths(count);
      const known = last[i]!;
      if (widths.some((width, axis) => width !== known.widths[axis]) || known.widths.length === 0) {
        known.widths = widths;
        known.time = interpolate(grid, widths);
      }
      return sum + known.time;
    }, 0);
}

/** Elements of all nodes' outputs under a plan. */
function outputSizes({ analysis }: Grouping, cost: CostModel): (count: SizeOf) => number {
  const extents = new Map<string, { readonly polynomial: readonly Monomial[]; factor: number }>();
  const products: { readonly constant: number; readonly extents: readonly (readonly Monomial[])[] }[] = [];
  let fixed = 0;
  for (const { outputs } of analysis.model.graph.nodes)
    for (const output of outputs) {
      const axes = analysis.axes.get(output);
      if (!axes || axes.some(({ size }) => Number.isNaN(size))) continue;
      let constant = 1;
      const variable: (readonly Monomial[])[] = [];
      for (const axis of axes) {
        const polynomial = cost.extentOf(axis);
        if (polynomial.every(({ variables }) => variables.length === 0)) constant *= axis.size;
        else variable.push(polynomial);
      }
      if (variable.length === 0) fixed += constant;
      else if (variable.length > 1) products.push({ constant, extents: variable });
      else {
        const key = polynomialKey(variable[0]!);
        const known = extents.get(key);
        if (known) known.factor += constant;
        else extents.set(key, { polynomial: variable[0]!, factor: constant });
      }
    }
  return (count) => {
    let total = fixed;
    for (const { polynomial, factor } of extents.values()) total += factor * evaluate(polynomial, count);
    for (const { constant, extents: own } of products)
      total += own.reduce((size, polynomial) => size * evaluate(polynomial, count), constant);
    return total;
  };
}
