import { isFloat } from '../onnx/data-type.js';
import type { Graph, ValueInfo } from '../onnx/model.js';

/** The size of a symbolic dim that nothing else tells. */
export type SizeGuess = (input: ValueInfo, axis: number) => number;

/**
 * Sizes to try, in order, until onnxruntime accepts one. Batches have one example; at size 1 everywhere, convolutions
 * and statistics would degenerate and costs would mean nothing, so images get a usual side and sequences a length.
 */
export function sizeGuesses(graph: Graph): SizeGuess[] {
  const leading = new Set<string>();
  for (const input of graph.inputs) {
    const symbol = input.type?.kind === 'tensor' ? input.type.shape?.[0]?.value : undefined;
    if (typeof symbol === 'string' && symbol) leading.add(symbol);
  }
  const isBatch = (symbol: unknown, axis: number): boolean =>
    axis === 0 || (typeof symbol === 'string' && (leading.has(symbol) || /^(n|b|bs|batch.*)$/i.test(symbol)));
  /** `side` of images and volumes, `steps` of sequences; waveforms need more, since frames are cut from them. */
  const typical =
    (side: number, steps: number, samples: number): SizeGuess =>
    (input, axis) => {
      if (input.type?.kind !== 'tensor') return 1;
      const { shape, dtype } = input.type;
      if (isBatch(shape?.[axis]?.value, axis)) return 1;
      const rank = shape?.length ?? 0;
      if (rank > 3) return side;
      return rank === 2 && isFloat(dtype) ? samples : steps;
    };
  return [typical(224, 64, 4096), typical(64, 64, 512), () => 1];
}
