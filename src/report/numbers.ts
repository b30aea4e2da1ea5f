/** Numbers for people: three significant digits, a unit after a space, `.` as the decimal point everywhere. */

/** `0`, `981`, `41.0 k`, `1.82 G`. */
export function formatCount(count: number): string {
  return withPrefix(count, ['', 'k', 'M', 'G', 'T', 'P']).trimEnd();
}

/** Decimal units, as file managers and disks have them: `512 B`, `1.09 MB`. */
export function formatBytes(bytes: number): string {
  return withPrefix(bytes, ['B', 'kB', 'MB', 'GB', 'TB']);
}

/** A share in [0, 1] as `48.2 %`; what is not all never prints as all, nor what is not nothing as nothing. */
export function formatShare(share: number): string {
  const percent = 100 * share;
  if (percent > 99.9 && percent < 100) return '> 99.9 %';
  if (percent > 0 && percent < 0.1) return '< 0.1 %';
  return `${percent === 100 || percent === 0 ? percent : percent.toFixed(1)} %`;
}

/** `0.0123 ms`, `12.3 ms`, `1.23 s`, `125 s`. */
export function formatMilliseconds(milliseconds: number): string {
  return milliseconds >= 1000 ? `${significant(milliseconds / 1000)} s` : `${significant(milliseconds)} ms`;
}

/** A relative error: `3.1e-7`, `0`. */
export function formatError(error: number): string {
  return error === 0 ? '0' : error.toExponential(1);
}

/** `1 group`, `3 groups`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function withPrefix(value: number, units: readonly string[]): string {
  let scaled = value;
  let unit = 0;
  // 999.5 would print as 1000 of the smaller unit.
  while (scaled >= 999.5 && unit < units.length - 1) {
    scaled /= 1000;
    unit++;
  }
  return `${unit === 0 ? Math.round(scaled) : significant(scaled)} ${units[unit]!}`;
}

/** Three significant digits, without an exponent. */
function significant(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  // Rounded first: 0.9996 has three digits as 1.00.
  const rounded = Number(value.toPrecision(3));
  const magnitude = rounded === 0 ? 0 : Math.floor(Math.log10(Math.abs(rounded)));
  return rounded.toFixed(Math.min(6, Math.max(0, 2 - magnitude)));
}
