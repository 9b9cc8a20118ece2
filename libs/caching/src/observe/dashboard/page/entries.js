import { evict, onEvicted, read } from './api.js';
import { byId, bytes, count, duration, el, fill, time, toast, whoOf } from './dom.js';
import { explainThis } from './explain.js';

let shown;

export function startEntries() {
  byId('search').addEventListener('submit', (event) => {
    event.preventDefault();
    void refresh();
  });
  byId('evict-by').addEventListener('change', ({ target }) => {
    byId('evict-value-field').hidden = target.value === 'all';
    const input = byId('evict-value');
    input.placeholder =
      { tag: 'books', path: '/books', prefix: '/books', route: 'BooksController.list' }[target.value] ?? '';
    if (target.value === 'route') input.setAttribute('list', 'evict-routes');
    else input.removeAttribute('list');
  });
  byId('evict-value').removeAttribute('list');
  byId('evict').addEventListener('submit', (event) => {
    event.preventDefault();
    const by = byId('evict-by').value;
    const value = byId('evict-value').value.trim();
    if (by !== 'all' && value === '') return byId('evict-value').focus();
    void evict(by, value, by === 'all' ? 'Everything' : `What ${by} ${value} covers`);
  });
  byId('entry-evict').addEventListener('click', () => void evictShown());
  byId('entry-explain').addEventListener('click', () => {
    byId('entry').close();
    explainThis(shown);
  });
  onEvicted(() => void refresh());
}

async function evictShown() {
  if (await evict('entry', shown.id, `This one response of ${shown.path}`)) byId('entry').close();
}

export async function refresh() {
  try {
    const query = byId('search-text').value.trim();
    const [{ entries, partial }, { evictions }] = await Promise.all([
      read(`entries?q=${encodeURIComponent(query)}`),
      read('evictions'),
    ]);
    byId('entries-note').textContent =
      `${count(entries.length)} in this process${partial ? '; there are more, search for something narrower' : ''}.`;
    byId('entries-empty').hidden = entries.length > 0;
    fill(byId('entries-body'), entries.map(row));
    fill(
      byId('evictions'),
      evictions.length === 0 ? el('li.faint', {}, 'None yet.') : evictions.slice(0, 12).map(eviction),
    );
  } catch (error) {
    toast(`Could not be read: ${error.message}`, 'bad');
  }
}

export const targetOf = ({ path, query }) => (query === '' ? path : `${path}?${query}`);

function row(entry) {
  const { tags, ageMs, freshForMs, bodyBytes, method, route, scoped } = entry;
  const target = targetOf(entry);
  return el(
    'tr',
    {},
    el(
      'th',
      { scope: 'row' },
      el(
        'button.link',
        { type: 'button', onclick: () => open(entry) },
        el('code', {}, method === 'GET' ? target : `${method} ${target}`),
      ),
      el('span.sub', {}, route, scoped ? ' · for one principal' : ''),
    ),
    el(
      'td',
      { 'data-label': 'Tags' },
      tags.length === 0 ? '–' : tags.slice(0, 4).map(({ name }) => el('span.tag', {}, name)),
      tags.length > 4 ? el('span.tag', {}, `+${tags.length - 4}`) : '',
    ),
    el('td.number', { 'data-label': 'Age' }, duration(ageMs)),
    el('td.number', { 'data-label': 'Fresh for' }, freshForMs < 0 ? 'stale' : duration(freshForMs)),
    el('td.number', { 'data-label': 'Body' }, bytes(bodyBytes)),
    el(
      'td.action',
      {},
      el(
        'button.button.small',
        {
          type: 'button',
          'aria-label': `Evict ${target}`,
          onclick: () => evict('entry', entry.id, `This one response of ${target}`),
        },
        'Evict',
      ),
    ),
  );
}

async function open({ id }) {
  try {
    const entry = await read(`entry?id=${encodeURIComponent(id)}`);
    shown = entry;
    byId('entry-title').textContent = targetOf(entry);
    const facts = [
      ['Route', entry.route],
      ['Status', entry.status],
      ['Age', duration(entry.ageMs)],
      ['Fresh for', entry.freshForMs < 0 ? 'stale' : duration(entry.freshForMs)],
      ['Body', bytes(entry.bodyBytes)],
      ['In memory', bytes(entry.bytes)],
      ['Started at', `eviction ${entry.start}`],
      ['Whose', entry.scoped ? 'one principal’s' : 'everybody’s'],
    ];
    fill(
      byId('entry-body'),
      el(
        'dl.pairs',
        {},
        facts.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, String(value)))),
      ),
      el('h3', {}, 'Tags'),
      el(
        'p',
        {},
        entry.tags.length === 0 ? 'None of its own.' : entry.tags.map(({ name }) => el('span.tag', {}, name)),
      ),
      el('h3', {}, 'Headers that are stored'),
      el(
        'dl.headers',
        {},
        entry.headers.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value))),
      ),
    );
    byId('entry').showModal();
  } catch (error) {
    toast(error.message === 'unknown' ? 'It is not stored any more' : error.message, 'bad');
    void refresh();
  }
}

function eviction({ at, by, tags, count: number }) {
  const named = tags
    .slice(0, 3)
    .map(({ kind, name }) =>
      el('span.tag', {}, kind === 'tag' ? name : kind === 'key' ? 'one entry' : `${kind} ${name}`),
    );
  return el(
    'li',
    {},
    el('time', {}, time(at)),
    el('span', {}, whoOf(by)),
    el('span.tags', {}, named, number > 3 ? `+${number - 3}` : ''),
  );
}
