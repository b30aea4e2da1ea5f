import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chartLibrary } from '../../src/cli/charts.js';
import { bench, evaluate, inspect, prune, robustness, type GroupSummary } from '../../src/index.js';
import { escape, htmlPage, htmlTable } from '../../src/report/html/page.js';
import { pruneHtml } from '../../src/report/html/prune.js';
import { sweepHtml } from '../../src/report/html/sweep.js';
import type { PruneOutcome } from '../../src/report/prune.js';

const browsers = [process.env['CHROMIUM'] ?? '', '/usr/bin/chromium', '/usr/bin/chromium-browser'];
const executablePath = browsers.find((path) => path !== '' && existsSync(path));
const title = executablePath === undefined ? ' (skipped: no chromium; install it or set CHROMIUM)' : '';

const model = 'models/trained/resnet20.onnx';
let outcome: PruneOutcome;
let groups: readonly GroupSummary[];
let library: string;

beforeAll(async () => {
  const result = await prune(model, { budget: { macs: '50%' }, select: 'knapsack' });
  const data = { path: 'models/data/t10k-images-idx3-ubyte.gz', mean: 0.286, std: 0.353, limit: 100 };
  const timing = await bench(
    [
      { name: 'dense', model },
      { name: 'pruned', model: result.model },
    ],
    { runs: 10, warmup: 1 },
  );
  outcome = {
    source: 'resnet20.onnx',
    written: undefined,
    report: result.report,
    bench: timing,
    evaluation: {
      dense: await evaluate(model, { data }),
      pruned: await evaluate(result.model, { data, reference: model }),
    },
    robustness: await robustness(model, result.model, { data }),
    milliseconds: 1,
  };
  groups = inspect(result.analysis).groups;
  library = await chartLibrary();
}, 120_000);

describe('the report', () => {
  it('stands alone: nothing in it asks for another resource', () => {
    const page = pruneHtml(outcome, groups, '/* charts */');
    expect(page).not.toMatch(/\b(src|href)\s*=|@import|url\(|https?:/);
    expect(page).toContain("default-src 'none'");
  });

  it('tells costs, budgets, the knapsack, the proof and every group', () => {
    const page = pruneHtml(outcome, groups, '');
    expect(page).toMatch(/Budget: macs=50%: (49|50)\.\d\d % of dense/);
    expect(page).toContain('Knapsack: greedy keeps');
    expect(page).toContain('<span class="passed">passed');
    for (const { id, name } of outcome.report.groups) expect(page).toContain(escape(`${id} ${name}`));
  });

  it('tells which examples flipped, and the top-1 on corrupted images', () => {
    const page = pruneHtml(outcome, groups, '');
    const { flips, examples } = outcome.evaluation!.pruned;
    expect(flips!.length).toBeGreaterThan(0);
    expect(page).toContain(`${flips!.length} of ${examples} examples changed class: `);
    const [{ example, label, reference, predicted }] = flips as [Required<NonNullable<typeof flips>[number]>];
    expect(page).toContain(`<td>${example}</td><td>${label}</td><td>${reference}</td><td>${predicted}</td>`);
    expect(page).toContain('"data":["clean","noise","blur","contrast"]');
  });

  it('of a sweep shows how quality falls with the ratio, by method', () => {
    const cell = (criterion: string, ratio: number, accuracy: number) => ({
      cell: { target: { ratio }, criterion, reconstruct: false },
      ...{ macs: 1 - ratio, parameters: 1 - ratio, accuracy, milliseconds: 1 },
    });
    const cells = [cell('l1', 0.5, 0.8), cell('l1', 0.2, 0.9), cell('lamp', 0.2, 0.85)];
    const page = sweepHtml({ model: 'm', denseAccuracy: 0.92, cells }, '');
    expect(page).toContain('Sensitivity: top-1 against the ratio');
    expect(page).toContain('"data":[[20,90],[50,80]]');
    // Nothing to draw a line through.
    expect(sweepHtml({ model: 'm', cells: cells.slice(0, 1) }, '')).not.toContain('Sensitivity');
  });

  it("shows cells that are slower than the dense model, and doesn't call them best", () => {
    const cells = [0.5, 1.23].map((latency, i) => ({
      cell: { target: { ratio: 0.8 - 0.6 * i }, criterion: 'l1', reconstruct: false },
      ...{ macs: 0.2 + 0.6 * i, latency, accuracy: 0.6 + 0.2 * i, milliseconds: 1 },
    }));
    const page = sweepHtml({ model: 'm', denseAccuracy: 0.92, cells }, '');
    const charts = /<script type="application\/json" id="charts">(.*?)<\/script>/s.exec(page)![1]!;
    interface Plot {
      readonly xAxis: { readonly max: number };
      readonly series: readonly {
        readonly name: string;
        readonly data: readonly { readonly value: unknown }[];
      }[];
    }
    const plot = (JSON.parse(charts) as Record<string, Plot>)['chart-1']!;
    expect(plot.xAxis.max).toBe(140);
    const best = plot.series.find(({ name }) => name === 'best')!;
    expect(best.data.map(({ value }) => value)).toEqual([
      [50, 60],
      [100, 92],
    ]);
  });

  it('keeps names of the model from becoming markup or ending a script', () => {
    const hostile = '</script><script>alert(1)</script><img src=x onerror=alert(1)>';
    const report = {
      ...outcome.report,
      groups: outcome.report.groups.map((group) => ({ ...group, name: hostile, note: hostile })),
      warnings: [hostile],
    };
    const named = groups.map((group) => ({ ...group, name: hostile }));
    const page = pruneHtml({ ...outcome, source: hostile, report }, named, '');
    expect(page).not.toContain(hostile);
    expect(page).not.toContain('<img');
    expect(page.match(/<script\b/g)).toHaveLength(3);
    expect(page.match(/<\/script/g)).toHaveLength(3);
  });

  it('escapes tables', () => {
    expect(
      htmlTable([
        ['a<b', 'x'],
        ['"c"', "d'"],
      ]),
    ).toContain('<td>&quot;c&quot;</td><td>d&#39;</td>');
  });
});

describe.skipIf(executablePath === undefined)(`in chromium${title}`, () => {
  let browser: Browser;
  let folder: string;
  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: executablePath!,
      args: ['--no-sandbox', '--disable-gpu'],
    });
    folder = await mkdtemp(join(tmpdir(), 'onnx-prune-report-'));
  });
  afterAll(async () => {
    await browser.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** What happens when a page is opened. */
  async function open(
    html: string,
    width: number,
    colorScheme: 'light' | 'dark',
    act?: (page: Page) => Promise<unknown>,
  ) {
    const file = join(folder, 'report.html');
    await writeFile(file, html);
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
    const errors: string[] = [];
    const requests: string[] = [];
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
    page.on('pageerror', (error) => errors.push(error.message));
    page.on('request', (request) => requests.push(request.url()));
    const address = pathToFileURL(file).href;
    await page.goto(address);
    await act?.(page);
    // Charts are drawn when the page is laid out, which an error keeps from happening.
    await page
      .waitForFunction(
        `Number(document.body.dataset.charts) === document.querySelectorAll('.chart').length`,
        undefined,
        { timeout: 5000 },
      )
      .catch(() => undefined);
    const shown = await page.evaluate(`({
      charts: Number(document.body.dataset.charts),
      drawn: [...document.querySelectorAll('canvas')].filter((canvas) => {
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return data.some((value) => value !== 0);
      }).length,
      overflow: document.documentElement.scrollWidth - innerWidth,
      clipped: [...document.querySelectorAll('section:first-of-type .scroll')]
        .filter((table) => table.scrollWidth > table.clientWidth).length,
      background: getComputedStyle(document.body).backgroundColor,
    })`);
    await page.close();
    return {
      errors,
      requests: requests.filter((url) => url !== address),
      ...(shown as { charts: number; drawn: number; overflow: number; clipped: number; background: string }),
    };
  }

  it.each([
    ['a desk', 1280, 'light'],
    ['half a desk', 1100, 'dark'],
    ['a phone in the dark', 390, 'dark'],
  ] as const)('draws every chart on %s, without an error or a request', async (_, width, scheme) => {
    const page = await open(pruneHtml(outcome, groups, library), width, scheme);
    expect(page.errors).toEqual([]);
    expect(page.requests).toEqual([]);
    expect(page.charts).toBe(6);
    expect(page.drawn).toBe(6);
    expect(page.clipped).toBe(0);
    expect(page.overflow).toBeLessThanOrEqual(0);
    const [red] = /\d+/.exec(page.background)!;
    expect(Number(red) < 128).toBe(scheme === 'dark');
  });

  it('waits with charts that have no size yet, as in a hidden tab', async () => {
    const hidden = pruneHtml(outcome, groups, library).replace(
      '</head>',
      '<style id="hidden">main { display: none; }</style></head>',
    );
    const page = await open(hidden, 1280, 'light', async (opened) => {
      await opened.waitForTimeout(200);
      expect(await opened.evaluate('document.body.dataset.charts')).toBeUndefined();
      await opened.evaluate(`document.getElementById('hidden').remove()`);
    });
    expect(page.errors).toEqual([]);
    expect(page.drawn).toBe(6);
  });

  it('leaves no card alone beside an empty place', () => {
    const card = (title: string, wide = false) => ({ title, wide });
    const widths = (sections: readonly { title: string; wide: boolean }[]) =>
      [...htmlPage({ title: 't', subtitle: '', sections }, '').matchAll(/<section( class="wide")?>/g)].map(
        ([, wide]) => wide !== undefined,
      );
    expect(widths([card('a'), card('b'), card('c'), card('d', true), card('e')])).toEqual([
      false,
      false,
      true,
      true,
      true,
    ]);
  });

  it('would notice an error and a request', async () => {
    const broken = htmlPage({ title: 't', subtitle: '', sections: [] }, 'throw new Error("x")').replace(
      '</main>',
      '</main><img src="https://example.invalid/x.png">',
    );
    const page = await open(broken, 800, 'light');
    expect(page.errors.length).toBeGreaterThan(0);
  });
});
