import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chartLibrary } from '../../src/cli/charts.js';
import { bench, inspect, prune, type GroupSummary } from '../../src/index.js';
import { escape, htmlPage, htmlTable } from '../../src/report/html/page.js';
import { pruneHtml } from '../../src/report/html/prune.js';
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
    milliseconds: 1,
  };
  groups = inspect(result.analysis).groups;
  library = await chartLibrary();
});

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
  async function open(html: string, width: number, colorScheme: 'light' | 'dark') {
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
    const shown = await page.evaluate(`({
      charts: Number(document.body.dataset.charts),
      drawn: [...document.querySelectorAll('canvas')].filter((canvas) => {
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return data.some((value) => value !== 0);
      }).length,
      overflow: document.documentElement.scrollWidth - innerWidth,
      background: getComputedStyle(document.body).backgroundColor,
    })`);
    await page.close();
    return {
      errors,
      requests: requests.filter((url) => url !== address),
      ...(shown as { charts: number; drawn: number; overflow: number; background: string }),
    };
  }

  it.each([
    ['a desk', 1280, 'light'],
    ['a phone in the dark', 390, 'dark'],
  ] as const)('draws every chart on %s, without an error or a request', async (_, width, scheme) => {
    const page = await open(pruneHtml(outcome, groups, library), width, scheme);
    expect(page.errors).toEqual([]);
    expect(page.requests).toEqual([]);
    expect(page.charts).toBe(4);
    expect(page.drawn).toBe(4);
    expect(page.overflow).toBeLessThanOrEqual(0);
    const [red] = /\d+/.exec(page.background)!;
    expect(Number(red) < 128).toBe(scheme === 'dark');
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
