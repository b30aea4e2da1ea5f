import { MalformedError } from './wire.js';

/** The codec's reader gives int64 as bigint; unset fields give a default of another type, which is always 0. */
export function bigInteger(value: unknown): bigint {
  return typeof value === 'bigint' ? value : 0n;
}

/** An int64 field as a number. @throws MalformedError where that isn't exact. */
export function safeInteger(value: unknown, what: string): number {
  const number = Number(bigInteger(value));
  if (!Number.isSafeInteger(number)) throw new MalformedError(`${what} is ${bigInteger(value)}`);
  return number;
}
