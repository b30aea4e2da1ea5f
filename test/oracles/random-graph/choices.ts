/** The small numbers that fast-check drew for one step; a step reads as many as it needs. Shrinks towards 0. */
export class Choices {
  private at = 0;

  constructor(private readonly numbers: readonly number[]) {}

  below(bound: number): number {
    const drawn = this.numbers[this.at++ % this.numbers.length] ?? 0;
    return drawn % bound;
  }

  flag(): boolean {
    return this.below(2) === 1;
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}
