import { encodeModel } from '../onnx/codec.js';
import { graphModel } from '../onnx/graph-model.js';
import { integerTensor } from '../onnx/values.js';
import { integerProductNode } from '../ops/nodes.js';
import type { Runtime } from './runtime.js';

/** Terms of the probed sum, an even number. */
const terms = 64;

/**
 * Whether the runtime's kernels add products of unsigned and signed 8-bit numbers at 16 bits, and saturate: those for x86
 * processors without VNNI do.
 * @throws PruneError `runtime`
 */
export async function saturatesProducts(runtime: Runtime): Promise<boolean> {
  const filled = (value: number): number[] => new Array<number>(terms).fill(value);
  const model = graphModel({
    nodes: [integerProductNode('a', 'b', 'y')],
    inputs: [],
    outputs: ['y'],
    initializers: [
      integerTensor('a', filled(255), [1, terms], 'uint8'),
      integerTensor('b', filled(127), [terms, 1], 'int8'),
    ],
  });
  const session = await runtime.load(encodeModel(model), { optimization: 'disabled', threads: 1 });
  try {
    const { y } = await session.run({});
    return (y!.data as Int32Array)[0] !== 255 * 127 * terms;
  } finally {
    await session.release();
  }
}
