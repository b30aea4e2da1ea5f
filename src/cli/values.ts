/** How one option's value is read, from the command line and from a configuration file. */
export interface Value<T> {
  /** @throws InvalidValue */
  fromText(text: string, previous: T | undefined): T;
  /** @throws InvalidValue */
  fromJson(value: unknown): T;
}

/** The value doesn't fit; the message is the remedy alone. Whoever knows the option's name completes it. */
export class InvalidValue extends Error {}

interface Range {
  readonly min?: number;
  /** Exclusive. */
  readonly below?: number;
  /** Inclusive. */
  readonly max?: number;
}

export function number({ min = -Infinity, below = Infinity, max = Infinity }: Range = {}): Value<number> {
  const remedy = Number.isFinite(below)
    ? `use a number in [${min}, ${below})`
    : Number.isFinite(max)
      ? `use a number in [${min}, ${max}]`
      : min > -Infinity
        ? `use a number from ${min}`
        : 'use a number';
  return checked(
    (text) => (text.trim() === '' ? NaN : Number(text)),
    (value): value is number =>
      typeof value === 'number' && Number.isFinite(value) && value >= min && value <= max && value < below,
    remedy,
  );
}

export function integer(min: number): Value<number> {
  return checked(
    (text) => (/^[+-]?\d+$/.test(text.trim()) ? Number(text) : NaN),
    (value): value is number => Number.isSafeInteger(value) && (value as number) >= min,
    `use a whole number from ${min}`,
  );
}

export const text: Value<string> = checked(
  (given) => given,
  (value): value is string => typeof value === 'string' && value !== '',
  'use a text that is not empty',
);

export function choice<const T extends string>(...names: readonly T[]): Value<T> {
  return checked(
    (given) => given,
    (value): value is T => (names as readonly unknown[]).includes(value),
    `use one of ${names.join(', ')}`,
  );
}

export const toggle: Value<boolean> = {
  fromText: () => true,
  fromJson: (value) => {
    if (typeof value !== 'boolean') throw new InvalidValue('use true or false');
    return value;
  },
};

/** A repeatable option. */
export function listOf<T>(item: Value<T>): Value<readonly T[]> {
  return {
    fromText: (given, previous = []) => [...previous, item.fromText(given, undefined)],
    fromJson: (value) => {
      if (!Array.isArray(value)) throw new InvalidValue('use a list');
      return value.map((entry) => item.fromJson(entry));
    },
  };
}

/** Comma-separated, e.g. `1,3,224,224`. */
export function commaSeparated<T>(item: Value<T>): Value<readonly T[]> {
  return {
    fromText: (given) => given.split(',').map((part) => item.fromText(part, undefined)),
    fromJson: (value) => listOf(item).fromJson(value),
  };
}

/** One, or several separated by commas. */
export function oneOrMore<T>(item: Value<T>): Value<T | readonly T[]> {
  const list = commaSeparated(item);
  return {
    fromText: (given) =>
      given.includes(',') ? list.fromText(given, undefined) : item.fromText(given, undefined),
    fromJson: (value) => (Array.isArray(value) ? list.fromJson(value) : item.fromJson(value)),
  };
}

/** A repeatable `KEY=VALUE`. Keys may hold `=`, so the last one separates. */
export function entriesOf<T>(item: Value<T>, example: string): Value<Readonly<Record<string, T>>> {
  return {
    fromText: (given, previous = {}) => {
      const at = given.lastIndexOf('=');
      if (at < 1) throw new InvalidValue(`write it as ${example}`);
      return { ...previous, [given.slice(0, at)]: item.fromText(given.slice(at + 1), undefined) };
    },
    fromJson: (value) => {
      if (!isRecord(value)) throw new InvalidValue('use an object');
      return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, item.fromJson(entry)]));
    },
  };
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function checked<T>(
  read: (text: string) => unknown,
  isValid: (value: unknown) => value is T,
  remedy: string,
): Value<T> {
  const check = (value: unknown): T => {
    if (!isValid(value)) throw new InvalidValue(remedy);
    return value;
  };
  return { fromText: (given) => check(read(given)), fromJson: check };
}
