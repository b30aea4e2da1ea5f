/**
 * What runs in the page: draws every chart from its option in the JSON beside it, in the reader's colours, and again when
 * those or its size change. A chart that has no size yet (a page in a hidden tab) waits, since echarts can't draw on
 * nothing.
 */
export const script = `
(() => {
  const data = JSON.parse(document.getElementById('charts').textContent);
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const charts = new Map();
  const hasSize = (element) => element.clientWidth > 0 && element.clientHeight > 0;
  const draw = (element) => {
    charts.get(element)?.dispose();
    const text = getComputedStyle(document.documentElement).getPropertyValue('--text').trim();
    const chart = echarts.init(element, dark.matches ? 'dark' : undefined);
    const option = structuredClone(data[element.id]);
    for (const series of option.series) if (series.type === 'graph' && innerWidth < 600) series.zoom *= 0.6;
    chart.setOption({ animation: false, backgroundColor: 'transparent', textStyle: { color: text }, ...option });
    charts.set(element, chart);
    document.body.dataset.charts = String(charts.size);
  };
  const sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (!hasSize(target)) continue;
      if (charts.has(target)) charts.get(target).resize();
      else draw(target);
    }
  });
  for (const id of Object.keys(data)) sizes.observe(document.getElementById(id));
  dark.addEventListener('change', () => { for (const element of charts.keys()) if (hasSize(element)) draw(element); });
})();
`;
