/** Light and dark by the reader's setting; one column on a phone. */
export const style = `
:root { color-scheme: light dark; --bg: #f6f7f9; --card: #fff; --text: #1c2330; --soft: #5d6675; --line: #e1e5ea; --good: #15803d; --bad: #b91c1c; --accent: #2563eb; }
@media (prefers-color-scheme: dark) { :root { --bg: #12151a; --card: #1b2028; --text: #e6e9ee; --soft: #9aa4b2; --line: #2c333d; --good: #4ade80; --bad: #f87171; --accent: #60a5fa; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--text); font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 20px 16px 48px; display: grid; gap: 16px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); }
header, section.wide { grid-column: 1 / -1; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; min-width: 0; }
h1 { font-size: 22px; margin: 8px 0 2px; overflow-wrap: anywhere; }
h2 { font-size: 16px; margin: 0 0 8px; }
p { margin: 4px 0; color: var(--soft); overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 10px 5px 0; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--soft); font-weight: 500; }
th:first-child, td:first-child, th.text, td.text { text-align: left; }
td.text { white-space: normal; overflow-wrap: anywhere; min-width: 12em; }
.chart { width: 100%; height: 320px; }
.chart.tall { height: 560px; }
.chart.long { height: 420px; }
.passed { color: var(--good); }
.failed { color: var(--bad); }
details > summary { cursor: pointer; color: var(--accent); }
@media (max-width: 600px) { .chart.tall { height: 420px; } h1 { font-size: 19px; } th, td { padding-right: 6px; font-size: 13px; } :is(th, td):is(:first-child, :last-child) { white-space: normal; } :is(th, td):last-child { padding-right: 0; } td.text { min-width: 8em; } td:first-child { overflow-wrap: anywhere; min-width: 6em; } }
`;
