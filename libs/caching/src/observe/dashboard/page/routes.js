import { evict } from './api.js';
import { byId, count, duration, el, fill, percent } from './dom.js';

const paths = new Map();

/** Methods and paths of the application's routes. */
export function setRoutes(routes) {
  for (const { route, method, path } of routes) if (!paths.has(route)) paths.set(route, `${method} ${path}`);
  fill(
    byId('evict-routes'),
    [...new Set(routes.filter(({ cached }) => cached).map(({ route }) => route))].map((value) =>
      el('option', { value }),
    ),
  );
}

export function showRoutes({ routes }) {
  // What has the focus stays where it is.
  if (byId('view-routes').hidden || byId('routes-body').contains(document.activeElement)) return;
  const sorted = routes.toSorted((a, b) => b.savedMs - a.savedMs || a.route.localeCompare(b.route));
  fill(byId('routes-body'), sorted.length === 0 ? none() : sorted.map(row));
}

function none() {
  return el('tr', {}, el('td.empty', { colspan: 8 }, 'No requests yet.'));
}

function row(route) {
  const { hits, stale, coalesced, fills, stored, bypassed, skipped } = route;
  const fromCache = hits + stale + coalesced;
  const runs = stored + Object.values(skipped).reduce((sum, each) => sum + each, 0);
  const all = fromCache + fills + bypassed;
  const ratio = all === 0 ? 0 : fromCache / all;
  const bar = el('span.ratio', { 'aria-hidden': 'true' }, el('i'));
  bar.firstElementChild.style.width = `${ratio * 100}%`;
  const reasons = Object.entries(skipped).concat(bypassed > 0 ? [['bypassed', bypassed]] : []);
  const name = route.route;
  return el(
    'tr',
    {},
    el('th', { scope: 'row' }, el('span.name', {}, name), el('code.path', {}, paths.get(name) ?? '')),
    el('td', { 'data-label': 'Hit ratio' }, el('span.withbar', {}, percent(ratio), bar)),
    el('td.number', { 'data-label': 'Requests' }, count(all)),
    el('td.number', { 'data-label': 'Hit' }, hits === 0 ? '–' : duration(route.hitMs / hits)),
    el('td.number', { 'data-label': 'Handler' }, runs === 0 ? '–' : duration(route.handlerMs / runs)),
    el('td.number', { 'data-label': 'Saved' }, el('b', {}, duration(route.savedMs))),
    el(
      'td',
      { 'data-label': 'Not stored' },
      reasons.length === 0
        ? '–'
        : reasons.map(([reason, number]) => el('span.tag', {}, `${reason} ${count(number)}`)),
    ),
    el(
      'td.action',
      {},
      el(
        'button.button.small',
        {
          type: 'button',
          'aria-label': `Evict ${name}`,
          onclick: () => evict('route', name, `Everything of ${name}`),
        },
        'Evict',
      ),
    ),
  );
}
