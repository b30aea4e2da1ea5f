/** Values by name. Made here, since on a plain object a value named `__proto__` is lost and `constructor` is found. */
export type Named<T> = Record<string, T>;

/** Without a prototype: names of the file are all that it holds. */
export function emptyNamed<T>(): Named<T> {
  return Object.create(null) as Named<T>;
}

/** What an object holds under a name itself. */
export function ownValue<T>(values: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}
