/** What training changes, by the name of the initializer: weights, and running statistics. */
export type Values = ReadonlyMap<string, Float32Array>;

/** A copy that further steps leave alone. */
export function copyValues(values: Values): Values {
  return new Map([...values].map(([name, own]) => [name, own.slice()]));
}

/** Takes over the numbers of others, in place, so that what reads these goes on to see them. */
export function assignValues(values: Values, from: Values): void {
  for (const [name, own] of values) own.set(from.get(name)!);
}
