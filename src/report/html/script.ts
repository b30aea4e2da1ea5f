/**
 * What runs in the page: draws every chart from its option in the JSON beside it, in the reader's colours, and again
 * when those or the width change.
 */
export const script = `
(() => {
  const data = JSON.parse(document.getElementById('charts').textContent);
  const dark = matchMedia('(prefers-color-scheme: dark)');
  let charts = [];
  const draw = () => {
    for (const chart of charts) chart.dispose();
    const css = getComputedStyle(document.documentElement);
    const text = css.getPropertyValue('--text').trim();
    charts = Object.entries(data).map(([id, option]) => {
      const chart = echarts.init(document.getElementById(id), dark.matches ? 'dark' : undefined);
      for (const series of option.series) if (series.type === 'graph') series.zoom = innerWidth < 600 ? 0.5 : 1;
      chart.setOption({ animation: false, backgroundColor: 'transparent', textStyle: { color: text }, ...option });
      return chart;
    });
    document.body.dataset.charts = String(charts.length);
  };
  draw();
  dark.addEventListener('change', draw);
  addEventListener('resize', () => { for (const chart of charts) chart.resize(); });
})();
`;
