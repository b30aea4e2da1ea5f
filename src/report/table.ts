import { printable } from '../errors.js';

/** Lays rows out in columns: the first column left-aligned, all others right-aligned, two spaces between. */
export function alignColumns(texts: readonly (readonly string[])[], indent = ''): string[] {
  const rows = texts.map((row) => row.map(printable));
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, column) => (widths[column] = Math.max(widths[column] ?? 0, cell.length)));
  return rows.map((row) => {
    const cells = row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
    );
    return (indent + cells.join('  ')).trimEnd();
  });
}

/** Lines of `label  text`, the texts in one column. */
export function alignLabels(
  entries: readonly (readonly [label: string, text: string])[],
  width = 0,
): string[] {
  const shown = entries.map(([label, text]) => [printable(label), text] as const);
  const column = Math.max(width, ...shown.map(([label]) => label.length));
  return shown.map(([label, text]) => `${label.padEnd(column)}  ${text}`);
}
