import type { GroupSummary, Inspection } from '../analysis/inspect.js';
import { blockerLines } from './advice.js';
import { formatBytes, formatCount, formatMilliseconds, formatShare, plural } from './numbers.js';
import { alignColumns, alignLabels } from './table.js';

/** Reasons that are listed. */
const reasons = 10;

/** The groups, what they reach, and the costliest reasons that hold parameters back. */
export function inspectionText(inspection: Inspection, title: string): string {
  const { groups, coverage, blockers, timings } = inspection;
  const head = alignLabels([
    [
      'model',
      `${title}: ${plural(inspection.nodes, 'node')}, ${formatCount(inspection.parameters)} parameters (${formatBytes(inspection.bytes)}), ${formatCount(inspection.macs)} MACs`,
    ],
    ['coverage', coverageText(coverage)],
    [
      'time',
      `${formatMilliseconds(timings.shapes)} in onnxruntime for shapes, ${formatMilliseconds(timings.axes)} for axes`,
    ],
  ]);
  const rows = groups.map((group) => [
    `${group.id} ${group.node}`,
    String(group.size),
    formatCount(group.parameters),
    formatCount(group.macs),
    String(new Set(group.members.map(({ tensor }) => tensor)).size),
    kindOf(group),
  ]);
  const table = rows.length
    ? ['', ...alignLast(alignColumns, [['group', 'size', 'parameters', 'MACs', 'tensors', 'kind'], ...rows])]
    : [];
  const residual = branchLines(inspection);
  const blocked = blockers.length
    ? ['', 'held back (parameters, where, why, remedy):'].concat(
        blockerLines(blockers, reasons).map((line) => `  ${line}`),
      )
    : [];
  return [...head, ...table, ...residual, ...blocked, ''].join('\n');
}

/** Branches by block, with the first reasons why others are none. */
function branchLines({ branches, refused }: Inspection): string[] {
  const rows = branches.map(({ id, node, block, parameters, macs }) => [
    `${id} ${node}`,
    String(block),
    formatCount(parameters),
    formatCount(macs),
  ]);
  const lines = rows.length
    ? ['', ...alignColumns([['residual branch', 'block', 'parameters', 'MACs'], ...rows])]
    : [];
  if (refused.length > 0) lines.push('', 'no residual branches (where, why):');
  for (const { name, why } of refused.slice(0, reasons)) lines.push(`  ${name}: ${why}`);
  const rest = refused.length - reasons;
  return rest > 0 ? [...lines, `  and ${rest} more; see --json`] : lines;
}

/** `99.6 % of parameters, 99.9 % of MACs`, with the part that needs `--residual-stream` told apart. */
export function coverageText({ all, withoutResidualStream: without }: Inspection['coverage']): string {
  const show = ({ parameters, macs }: Inspection['coverage']['all']): string =>
    `${formatShare(parameters)} of parameters, ${formatShare(macs)} of MACs`;
  if (all.parameters === without.parameters && all.macs === without.macs) return show(all);
  return `${show(without)}; with --residual-stream ${show(all)}`;
}

function kindOf({ attention, grouped, normalizedBy }: GroupSummary): string {
  const kinds: string[] = attention ? [attention] : [];
  if (grouped) kinds.push('grouped');
  if (normalizedBy.length) kinds.push('residual stream');
  return kinds.join(', ');
}

/** The last column holds words: left-aligned. */
function alignLast(align: typeof alignColumns, rows: readonly (readonly string[])[]): string[] {
  const numbers = align(rows.map((row) => row.slice(0, -1)));
  const width = Math.max(...numbers.map((line) => line.length));
  return numbers.map((line, i) => `${line.padEnd(width)}  ${rows[i]!.at(-1)!}`.trimEnd());
}
