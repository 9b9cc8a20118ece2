import uPlot from './uplot.js';
import { el, fill } from './dom.js';
import { color, onTheme } from './theme.js';

const FONT = '12px system-ui, sans-serif';
const charts = new Set();

onTheme(() => charts.forEach((chart) => chart.rebuild()));

/**
 * A chart that follows the size of its element and the theme.
 *
 * @param {HTMLElement} host
 * @param {() => object} options without size; asked again when the theme changes
 */
export function chart(host, options, height = 220) {
  let plot;
  let data = [[]];
  const size = () => ({ width: Math.max(host.clientWidth, 120), height });
  const self = {
    rebuild() {
      plot?.destroy();
      plot = new uPlot({ ...size(), ...options() }, data, host);
      for (const canvas of host.querySelectorAll('canvas')) canvas.setAttribute('aria-hidden', 'true');
    },
    set(next) {
      data = next;
      if (plot === undefined || plot.series.length !== next.length) self.rebuild();
      else plot.setData(next);
    },
  };
  new ResizeObserver(() => {
    if (plot !== undefined && host.clientWidth > 0) plot.setSize(size());
  }).observe(host);
  charts.add(self);
  return self;
}

/** Says in a legend what the series are, and their values under the pointer, else the last. */
export function legendOf(host, format) {
  return {
    hooks: {
      setCursor: [(plot) => show(host, plot, plot.cursor.idx ?? null, format)],
      setData: [(plot) => show(host, plot, plot.cursor.idx ?? null, format)],
      ready: [(plot) => show(host, plot, null, format)],
    },
  };
}

function show(host, plot, at, format) {
  const items = plot.series.slice(1).map((series, index) => {
    const values = plot.data[index + 1] ?? [];
    const own = series.own?.() ?? values;
    if (at === null && series.rest !== undefined) return item(series, series.rest(own));
    const value = own[at ?? own.length - 1];
    return item(series, value === undefined ? '–' : format(value));
  });
  fill(host, items);
}

function item({ mark, label }, text) {
  const square = el('i');
  square.style.background = mark;
  return el('span', {}, square, `${label} `, el('b', {}, text));
}

const axis = (extra) => ({
  stroke: color('muted'),
  font: FONT,
  grid: { stroke: color('line'), width: 1 },
  ticks: { show: false },
  ...extra,
});

/** Lines or areas over time. */
export function timeOptions({ series, unit = '', legend, format }) {
  return {
    padding: [12, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false } },
    scales: { x: { time: true }, y: { range: (_plot, _min, max) => [0, Math.max(1, max * 1.1)] } },
    axes: [
      axis({
        size: 30,
        space: 80,
        values: (_plot, ticks) => ticks.map((at) => new Date(at * 1000).toLocaleTimeString('en-GB')),
      }),
      axis({
        size: 56,
        values: (_plot, ticks) =>
          ticks.map((value) => (Number.isInteger(value) ? `${format(value)}${unit}` : '')),
      }),
    ],
    series: [{}, ...series.map((each) => ({ width: 2, points: { show: false }, ...each }))],
    ...legendOf(legend, format),
  };
}

/** Shares of classes, as smooth areas. */
export function classOptions({ series, labels, legend, format }) {
  return {
    padding: [12, 30, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false } },
    scales: {
      x: { time: false, range: [0, labels.length - 1] },
      y: { range: (_plot, _min, max) => [0, Math.max(10, max * 1.1)] },
    },
    axes: [
      axis({
        size: 30,
        splits: () => labels.map((_, at) => at),
        space: 10,
        values: (plot, ticks) =>
          thinned(
            plot,
            ticks.map((at) => labels[at]),
          ),
      }),
      axis({ size: 56, values: (_plot, ticks) => ticks.map((value) => `${value} %`) }),
    ],
    series: [
      {},
      ...series.map((each) => ({ width: 2, points: { show: false }, paths: uPlot.paths.spline(), ...each })),
    ],
    ...legendOf(legend, format),
  };
}

/** As many labels as there is room for. */
function thinned(plot, labels) {
  const every = Math.ceil((labels.length * 62) / Math.max(plot.width, 1));
  return labels.map((label, at) => (at % every === 0 ? label : ''));
}

/** A line without anything around it. */
export function sparkOptions(name) {
  return {
    padding: [2, 0, 2, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: true },
      y: { range: (_plot, min, max) => [Math.min(0, min), Math.max(max, 0.001)] },
    },
    axes: [{ show: false }, { show: false }],
    series: [{}, { stroke: color(name), fill: color(`${name}-soft`), width: 1.5, points: { show: false } }],
  };
}
