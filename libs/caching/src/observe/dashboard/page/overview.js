import { chart, classOptions, sparkOptions, timeOptions } from './charts.js';
import { byId, bytes, count, duration, el, fill, percent, time } from './dom.js';
import { color } from './theme.js';

const WINDOW = 300;
/** Routes with a line of their own. */
const MAX_ROUTES = 5;
const LINES = ['c1', 'c2', 'c3', 'c4', 'c5'];

const seconds = new Map();
let top = [];

const cached = ({ hits, stale, coalesced }) => hits + stale + coalesced;
const asked = (second) => cached(second) + second.fills + second.bypassed;

const EMPTY = { hits: 0, stale: 0, coalesced: 0, fills: 0, bypassed: 0, savedMs: 0, routes: {} };

/** Since the first request, a minute at least, so that the charts are full. */
function windowOf(now) {
  const [first = now / 1000] = [...seconds.keys()].toSorted((a, b) => a - b);
  return Math.round(Math.min(WINDOW, Math.max(60, now / 1000 - first + 5)));
}

/** The last seconds before `now`, those without requests included. */
function lastOf(now, length) {
  const end = Math.floor(now / 1000);
  return Array.from({ length }, (_, at) => ({
    at: end - length + at,
    ...(seconds.get(end - length + at) ?? EMPTY),
  }));
}

const area = (label, name, own) => ({
  label,
  stroke: () => color(name),
  fill: () => color(`${name}-fill`),
  mark: color(name),
  own,
});

let parts = { cache: [], handler: [], bypass: [] };

const answers = chart(byId('chart-answers'), () =>
  timeOptions({
    series: [
      area('Bypassed', 'bypass', () => parts.bypass),
      area('Handler', 'miss', () => parts.handler),
      area('Cache', 'hit', () => parts.cache),
    ],
    legend: byId('legend-answers'),
    format: count,
  }),
);

const byRoute = (host, legend, format) =>
  chart(byId(host), () =>
    timeOptions({
      series: top.map((label, at) => ({
        label: short(label),
        stroke: () => color(LINES[at]),
        mark: color(LINES[at]),
      })),
      legend: byId(legend),
      format,
    }),
  );

const requests = byRoute('chart-requests', 'legend-requests', count);
const saved = byRoute('chart-saved', 'legend-saved', duration);

const short = (route) => route.replace('Controller.', '.');

let labels = [''];

/** The class that most fell into. */
const usual = (shares) => {
  const most = Math.max(...shares);
  return most === 0 ? '–' : `mostly up to ${labels[shares.indexOf(most)]}`;
};

const latency = chart(byId('chart-latency'), () =>
  classOptions({
    series: [
      {
        label: 'Hits',
        stroke: () => color('hit'),
        fill: () => color('hit-soft'),
        mark: color('hit'),
        rest: usual,
      },
      {
        label: 'Handlers',
        stroke: () => color('miss'),
        fill: () => color('miss-soft'),
        mark: color('miss'),
        rest: usual,
      },
    ],
    labels,
    legend: byId('legend-latency'),
    format: (value) => `${value.toFixed(1)} %`,
  }),
);

const spark = (host, name) => chart(byId(host), () => sparkOptions(name), 36);
const sparks = {
  ratio: spark('spark-ratio', 'hit'),
  rate: spark('spark-rate', 'c1'),
  saved: spark('spark-saved', 'c2'),
};

/** Upper bounds of the classes of durations, in milliseconds. */
export function setClasses(bounds) {
  labels = [...bounds.map(duration), `> ${duration(bounds.at(-1))}`];
}

export function showOverview({ now, seconds: fresh, routes, latency: counts, health }) {
  for (const second of fresh) seconds.set(second.at, second);
  for (const at of seconds.keys()) if (at < now / 1000 - WINDOW) seconds.delete(at);
  showNumbers(now, routes);
  showMemory(health);
  showStore(health);
  // Nobody looks, and a hidden element has no size.
  if (byId('view-overview').hidden) return;
  const last = lastOf(now, windowOf(now));
  const xs = last.map(({ at }) => at);
  parts = {
    cache: last.map(cached),
    handler: last.map(({ fills }) => fills),
    bypass: last.map(({ bypassed }) => bypassed),
  };
  const stacked = last.map(asked);
  answers.set([xs, stacked, last.map((second) => cached(second) + second.fills), parts.cache]);
  const busiest = busiestOf(last);
  if (busiest.join() !== top.join()) {
    top = busiest;
    requests.rebuild();
    saved.rebuild();
  }
  requests.set([xs, ...top.map((route) => last.map((second) => second.routes[route]?.[0] ?? 0))]);
  saved.set([xs, ...top.map((route) => last.map((second) => second.routes[route]?.[1] ?? 0))]);
  latency.set([labels.map((_, at) => at), sharesOf(counts.hits), sharesOf(counts.misses)]);
  const minute = last.slice(-60);
  const minutes = minute.map(({ at }) => at);
  sparks.ratio.set([
    minutes,
    minute.map((second) => (asked(second) === 0 ? null : cached(second) / asked(second))),
  ]);
  sparks.rate.set([minutes, minute.map(asked)]);
  sparks.saved.set([minutes, minute.map(({ savedMs }) => savedMs)]);
}

function busiestOf(last) {
  const totals = new Map();
  for (const second of last)
    for (const [route, [number]] of Object.entries(second.routes))
      totals.set(route, (totals.get(route) ?? 0) + number);
  return [...totals]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, MAX_ROUTES)
    .map(([route]) => route)
    .toSorted();
}

function sharesOf(counts) {
  const all = counts.reduce((sum, each) => sum + each, 0);
  return counts.map((each) => (all === 0 ? 0 : (each / all) * 100));
}

function sum(list, of) {
  return list.reduce((total, each) => total + of(each), 0);
}

function showNumbers(now, routes) {
  const minute = lastOf(now, 60);
  const all = sum(minute, asked);
  byId('ratio').textContent = all === 0 ? '–' : percent(sum(minute, cached) / all);
  byId('ratio-note').textContent =
    all === 0 ? 'no requests in the last minute' : `of ${count(all)} in the last minute`;
  const rate = sum(lastOf(now, 10), asked) / 10;
  byId('rate').textContent = rate >= 10 || rate === 0 ? count(Math.round(rate)) : rate.toFixed(1);
  byId('saved').textContent = duration(sum(routes, ({ savedMs }) => savedMs));
}

function showMemory({ memory, rss }) {
  const meter = byId('memory-meter');
  if (memory === undefined) {
    byId('memory').textContent = bytes(rss);
    byId('memory-note').textContent = 'of the process; the store is your own';
    meter.hidden = true;
    return;
  }
  const { entries, bytes: used, maxBytes, maxEntries } = memory;
  byId('memory').textContent = bytes(used);
  byId('memory-note').textContent =
    `${count(entries)} entries${maxBytes ? `, of ${bytes(maxBytes)}` : ''}; process ${bytes(rss)}`;
  meter.hidden = maxBytes === undefined;
  if (maxBytes === undefined) return;
  const share = Math.max(used / maxBytes, entries / maxEntries) * 100;
  meter.setAttribute('aria-valuenow', share.toFixed(0));
  meter.setAttribute('aria-valuetext', `${share.toFixed(1)} %`);
  meter.dataset.level = share > 95 ? 'full' : 'fine';
  meter.firstElementChild.style.width = `${Math.max(share, 0.5)}%`;
}

function showStore({ store, uptimeS }) {
  const { name, open, hears, lagMs, errors, lastError, unacknowledged } = store;
  const trouble = open ? 'Not reachable' : hears === false ? 'Deaf' : 'Healthy';
  fill(byId('store'), el('i.dot', { 'data-state': trouble === 'Healthy' ? 'good' : 'bad' }), trouble);
  byId('store-note').textContent = `${name}, up for ${duration(uptimeS * 1000)}`;
  const facts = [
    errors > 0 && `${count(errors)} errors, last ${lastError.operation} at ${time(lastError.at)}`,
    hears === false && 'asks the store for each hit, as it does not hear of evictions',
    lagMs !== undefined && `${duration(lagMs)} behind when it last looked`,
    unacknowledged > 0 && `${count(unacknowledged)} evictions were to be told later`,
  ];
  fill(
    byId('store-facts'),
    facts.filter(Boolean).map((fact) => el('li', {}, fact)),
  );
}
