import type { Batch } from '../data/batch.js';
import { isFloatElement, toNumbers } from '../data/elements.js';
import { PruneError } from '../errors.js';
import { argmax, type Scores } from './classification.js';
import type { Outputs } from './outputs.js';

/** How far an output is from the reference's, over all elements of all valid examples. */
export interface OutputDifference {
  readonly output: string;
  /** Mean of |a - b|. */
  readonly mean: number;
  /** Largest |a - b|. */
  readonly max: number;
  /** Sum of |a - b| over the sum of |b|; undefined where the reference is all zero. */
  readonly relative: number | undefined;
  /** Elements that are NaN or infinite in either model; they count in no other figure. */
  readonly nonFinite: number;
}

/** Agreement with the reference on the class of the largest score. */
export interface Agreement {
  readonly output: string;
  readonly examples: number;
  /** In [0, 1]. */
  readonly share: number;
}

/** An example that the model puts into another class than the reference does. */
export interface Flip {
  /** Its place in the data as read, from 0. */
  readonly example: number;
  /** Where the data has labels. */
  readonly label?: number;
  readonly reference: number;
  readonly predicted: number;
}

interface Sums {
  elements: number;
  difference: number;
  reference: number;
  max: number;
  nonFinite: number;
}

/** Sums differences over batches, in float64. */
export class DifferenceCounter {
  private readonly sums = new Map<string, Sums>();
  private compared = 0;
  private readonly flipped: Flip[] = [];
  private scored = '';

  /** Every float output of the reference must be in the model with the same shape. */
  add(outputs: Outputs, reference: Outputs): void {
    for (const [name, expected] of Object.entries(reference)) {
      if (!isFloatElement(expected.dtype)) continue;
      const got = outputs[name];
      if (
        !got ||
        got.dims.length !== expected.dims.length ||
        got.dims.some((dim, axis) => dim !== expected.dims[axis])
      ) {
        const shape = got ? `has shape [${got.dims.join(', ')}]` : 'is missing';
        const wanted = `[${expected.dims.join(', ')}] as in the reference`;
        throw new PruneError(
          'invalid-option',
          `output '${name}' ${shape}, not ${wanted}; compare models of one origin`,
        );
      }
      this.addOutput(name, toNumbers(got), toNumbers(expected));
    }
  }

  private addOutput(name: string, got: ArrayLike<number>, expected: ArrayLike<number>): void {
    const sums = this.sums.get(name) ?? { elements: 0, difference: 0, reference: 0, max: 0, nonFinite: 0 };
    this.sums.set(name, sums);
    for (let i = 0; i < expected.length; i++) {
      const distance = Math.abs(got[i]! - expected[i]!);
      if (!Number.isFinite(distance)) {
        sums.nonFinite++;
        continue;
      }
      sums.elements++;
      sums.difference += distance;
      sums.reference += Math.abs(expected[i]!);
      if (distance > sums.max) sums.max = distance;
    }
  }

  /** The first `valid` rows of a batch. A row without a class (all NaN) agrees with none: its class is -1. */
  addScores(scores: Scores, reference: Scores, { labels, valid }: Pick<Batch, 'labels' | 'valid'>): void {
    this.scored = scores.output;
    for (let row = 0; row < valid; row++) {
      const [predicted, expected] = [argmax(scores, row), argmax(reference, row)];
      if (predicted >= 0 && predicted === expected) continue;
      const label = labels?.[row];
      this.flipped.push({
        example: this.compared + row,
        ...(label !== undefined && { label }),
        reference: expected,
        predicted,
      });
    }
    this.compared += valid;
  }

  differences(): OutputDifference[] {
    return [...this.sums].map(([output, { elements, difference, reference, max, nonFinite }]) => ({
      output,
      mean: elements === 0 ? 0 : difference / elements,
      max,
      relative: reference === 0 ? undefined : difference / reference,
      nonFinite,
    }));
  }

  agreement(): Agreement | undefined {
    const { scored: output, compared: examples, flipped } = this;
    return examples === 0 ? undefined : { output, examples, share: (examples - flipped.length) / examples };
  }

  /** In the order of the data; undefined where classes were not compared. */
  flips(): readonly Flip[] | undefined {
    return this.compared === 0 ? undefined : this.flipped;
  }
}
