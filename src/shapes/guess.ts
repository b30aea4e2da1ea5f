import { isFloat } from '../onnx/data-type.js';
import type { Graph, ValueInfo } from '../onnx/model.js';
import { has } from '../ops/index.js';

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
  const guesses = [typical(224, 64, 4096), typical(64, 64, 512), () => 1];
  const batch = fixedBatch(graph);
  return batch === undefined ? guesses : [...guesses, leadingOf(batch, typical(64, 64, 512))];
}

/** The guess with another size for leading axes that it takes to be batches. */
export function leadingOf(size: number, guess: SizeGuess): SizeGuess {
  return (input, axis) => {
    const guessed = guess(input, axis);
    return axis === 0 && guessed === 1 ? size : guessed;
  };
}

/** The leading size of the inputs that have a fixed one, where it is the same: exports may free that of some only. */
function fixedBatch(graph: Graph): number | undefined {
  const constants = new Set(graph.initializers.map(({ name }) => name));
  const sizes = new Set(
    graph.inputs.flatMap(({ name, type }) => {
      const size = type?.kind === 'tensor' && !constants.has(name) ? type.shape?.[0]?.value : undefined;
      return typeof size === 'number' && size > 1 ? [size] : [];
    }),
  );
  return sizes.size === 1 ? [...sizes][0] : undefined;
}

/**
 * How many times as much the target of the first Reshape holds that doesn't hold its input. Traced models often have the
 * sizes of their example written into targets, though their inputs say that any will do.
 */
export function misfitOf(
  { nodes }: Graph,
  shapeOf: (value: string) => readonly (number | undefined)[] | undefined,
): number | undefined {
  const countOf = (value: string): number =>
    shapeOf(value)?.reduce<number>((count, dim) => count * (dim ?? NaN), 1) ?? NaN;
  for (const node of nodes) {
    if (!has(node, 'reshapes')) continue;
    const times = countOf(node.outputs[0]!) / countOf(node.inputs[0]!);
    if (times > 0 && times !== 1) return times;
  }
  return undefined;
}
