#!/usr/bin/env node
// Time of the analysis against the length of the graph: chains of Conv and Relu, 1,000 to 20,000 nodes.
// Writes docs/scaling.md and docs/scaling.svg. Usage: npm run build && node scripts/scaling.mjs
import { writeFileSync } from 'node:fs';
import { init, use } from 'echarts/core';
import { LineChart } from 'echarts/charts';
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components';
import { SVGRenderer } from 'echarts/renderers';
import { analyze } from '../dist/analysis/analyze.js';
import { graphModel, tensorInfo } from '../dist/onnx/graph-model.js';
import { floatTensor } from '../dist/onnx/values.js';
import { nodeRuntime } from '../dist/runtime/node.js';

const lengths = [1000, 2000, 5000, 10_000, 20_000];
const repeats = 5;

/** Conv 8 → 8 (1×1) and Relu in turn. */
function chain(length) {
  const channels = 8;
  const nodes = [];
  const initializers = [];
  for (let i = 0; i < length; i++) {
    const weight = i % 2 === 0 ? [`w${i}`] : [];
    for (const name of weight)
      initializers.push(
        floatTensor(name, new Float32Array(channels ** 2).fill(0.1), [channels, channels, 1, 1]),
      );
    nodes.push({
      name: `n${i}`,
      opType: i % 2 === 0 ? 'Conv' : 'Relu',
      domain: '',
      inputs: [`v${i}`, ...weight],
      outputs: [`v${i + 1}`],
      attributes: new Map(),
      docString: '',
    });
  }
  const inputs = [tensorInfo('v0', 'float32', [1, channels, 4, 4])];
  return graphModel({ nodes, inputs, outputs: [`v${length}`], initializers });
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** Least-squares slope of log y over log x. */
function slope(points) {
  const xs = points.map(([x]) => Math.log(x));
  const ys = points.map(([, y]) => Math.log(y));
  const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length;
  const [mx, my] = [mean(xs), mean(ys)];
  return (
    xs.reduce((sum, x, i) => sum + (x - mx) * (ys[i] - my), 0) / xs.reduce((sum, x) => sum + (x - mx) ** 2, 0)
  );
}

const runtime = await nodeRuntime();
await analyze(chain(2000), { runtime });
const rows = [];
for (const length of lengths) {
  const times = [];
  for (let i = 0; i < repeats; i++) times.push((await analyze(chain(length), { runtime })).timings);
  rows.push({ length, axes: median(times.map((t) => t.axes)), shapes: median(times.map((t) => t.shapes)) });
  console.log(rows.at(-1));
}
const exponent = slope(rows.map(({ length, axes }) => [length, axes]));
console.log(`log-log slope of the analysis: ${exponent.toFixed(2)}`);

writeFileSync(
  'docs/scaling.md',
  [
    '# Analysis time against graph length',
    '',
    `Chains of Conv and Relu; medians of ${repeats} runs, milliseconds, Node ${process.version}. Made by \`scripts/scaling.mjs\`.`,
    'The analysis (axes, groups, costs) is ours; shapes are inferred by onnxruntime.',
    '',
    '| nodes | analysis | shapes (onnxruntime) |',
    '|---:|---:|---:|',
    ...rows.map(({ length, axes, shapes }) => `| ${length} | ${axes.toFixed(0)} | ${shapes.toFixed(0)} |`),
    '',
    `Log-log slope of the analysis: ${exponent.toFixed(2)}`,
    '',
    '![time against nodes](scaling.svg)',
    '',
  ].join('\n'),
);

use([LineChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);
const chart = init(null, null, { renderer: 'svg', ssr: true, width: 640, height: 400 });
const line = (name, key) => ({ name, type: 'line', data: rows.map((row) => [row.length, row[key]]) });
chart.setOption({
  animation: false,
  backgroundColor: '#ffffff',
  title: { text: 'Time against graph length', left: 'center' },
  legend: { bottom: 0 },
  grid: { left: 60, right: 20, bottom: 70, top: 40 },
  xAxis: { type: 'log', name: 'nodes', nameLocation: 'middle', nameGap: 25, min: 1000, max: 20_000 },
  yAxis: { type: 'log', name: 'ms' },
  series: [line('analysis', 'axes'), line('shapes (onnxruntime)', 'shapes')],
});
writeFileSync('docs/scaling.svg', chart.renderToSVGString());
chart.dispose();
