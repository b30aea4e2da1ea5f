import type { EChartsOption } from 'echarts';
import { script } from './script.js';
import { style } from './style.js';

export interface Chart {
  /** Data alone, no functions: it travels as JSON. */
  readonly option: EChartsOption;
  readonly height?: 'tall' | 'long';
}

/** One card of a page. */
export interface Section {
  readonly title: string;
  /** Takes the whole width. */
  readonly wide?: boolean;
  /** Markup, escaped. */
  readonly body?: string;
  readonly chart?: Chart;
}

export interface Page {
  readonly title: string;
  /** A line below the title. */
  readonly subtitle: string;
  readonly sections: readonly Section[];
}

/**
 * A page that holds everything it needs and may load nothing.
 * @param library the text of echarts' minified build
 */
export function htmlPage({ title, subtitle, sections }: Page, library: string): string {
  const charts: Record<string, EChartsOption> = {};
  const cards = sections.map(({ title: heading, wide, body, chart }, i) => {
    const id = `chart-${i}`;
    if (chart) charts[id] = chart.option;
    const canvas = chart
      ? `<div class="chart ${chart.height ?? ''}" id="${id}" role="img" aria-label="${escape(heading)}"></div>`
      : '';
    return `<section${wide || isAlone(sections, i) ? ' class="wide"' : ''}><h2>${escape(heading)}</h2>${body ?? ''}${canvas}</section>`;
  });
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:">
<title>${escape(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<header><h1>${escape(title)}</h1><p>${escape(subtitle)}</p></header>
${cards.join('\n')}
</main>
<script type="application/json" id="charts">${inScript(JSON.stringify(charts))}</script>
<script>${library.replaceAll('</script', '<\\/script')}</script>
<script>${script}</script>
</body>
</html>
`;
}

/** Whether a card would have nothing beside it where two fit. */
function isAlone(sections: readonly Section[], index: number): boolean {
  let before = 0;
  while (index - before > 0 && !sections[index - before - 1]!.wide) before++;
  const next = sections[index + 1];
  return before % 2 === 0 && (!next || next.wide === true);
}

/** Text as markup. */
export function escape(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replaceAll(/[&<>"']/g, (character) => entities[character]!);
}

/** JSON that can't end the script element it stands in. */
function inScript(json: string): string {
  return json.replaceAll('<', '\\u003c').replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
}

/** A table; the first row is its head, columns in `texts` hold words. */
export function htmlTable(
  rows: readonly (readonly string[])[],
  texts: ReadonlySet<number> = new Set(),
): string {
  const [head = [], ...body] = rows;
  const row = (cells: readonly string[], tag: 'th' | 'td'): string =>
    `<tr>${cells.map((cell, i) => `<${tag}${texts.has(i) ? ' class="text"' : ''}>${escape(cell)}</${tag}>`).join('')}</tr>`;
  return `<div class="scroll"><table><thead>${row(head, 'th')}</thead><tbody>${body.map((cells) => row(cells, 'td')).join('')}</tbody></table></div>`;
}
