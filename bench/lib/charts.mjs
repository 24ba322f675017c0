import * as echarts from 'echarts';

const SIZE = { width: 820, height: 360 };
const COLOURS = ['#1d4ed8', '#f59e0b', '#10b981', '#8b5cf6'];

/**
 * Bars in groups, as SVG.
 *
 * @param {object} chart
 * @param {string} chart.title with the unit
 * @param {string[]} chart.groups what stands below the bars
 * @param {Record<string, (number | undefined)[]>} chart.bars by name, one per group
 */
export function barChart({ title, groups, bars }) {
  return svg({
    ...frame(title),
    xAxis: { type: 'category', data: groups, axisLabel: { interval: 0 } },
    series: Object.entries(bars).map(([name, data]) => ({
      type: 'bar',
      name,
      data: data.map((value) => value ?? '-'),
      label: { show: true, position: 'top', fontSize: 9, formatter: ({ value }) => inShort(value) },
    })),
  });
}

/** Lines over the same points, as SVG. */
export function lineChart({ title, points, lines }) {
  return svg({
    ...frame(title),
    xAxis: { type: 'category', data: points },
    series: Object.entries(lines).map(([name, data]) => ({ type: 'line', name, data })),
  });
}

function frame(text) {
  return {
    animation: false,
    color: [...COLOURS, '#ef4444', '#64748b'],
    backgroundColor: '#ffffff',
    title: { text, left: 'center', textStyle: { fontSize: 14 } },
    legend: { bottom: 0 },
    grid: { left: 60, right: 20, top: 45, bottom: 60 },
    yAxis: { type: 'value', min: 0 },
  };
}

function svg(option) {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, ...SIZE });
  chart.setOption(option);
  const text = chart.renderToSVGString();
  chart.dispose();
  // Its names of styles count the charts of the process.
  const names = new Map();
  return text.replaceAll(/zr\d+-(\w+-)?\w+/g, (name) => {
    if (!names.has(name)) names.set(name, `s${names.size}`);
    return names.get(name);
  });
}

function inShort(value) {
  if (typeof value !== 'number') return '';
  return value >= 10_000 ? `${Math.round(value / 1_000)}k` : String(Number(value.toPrecision(2)));
}
