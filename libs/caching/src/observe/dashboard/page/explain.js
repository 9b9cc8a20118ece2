import { change } from './api.js';
import { byId, bytes, duration, el, fill, time, whoOf } from './dom.js';

export function startExplain() {
  byId('explain').addEventListener('submit', (event) => {
    event.preventDefault();
    void explain();
  });
}

/** Fills in what is known of an entry, and asks. */
export function explainThis({ method, path, query }) {
  byId('explain-method').value = method;
  byId('explain-url').value = query === '' ? path : `${path}?${query}`;
  location.hash = '#explain';
  void explain();
}

async function explain() {
  const box = byId('explanation');
  let request;
  try {
    request = described();
  } catch (error) {
    return fill(box, el('p.card.problem', {}, error.message));
  }
  try {
    fill(box, view(await change('explain', request)));
  } catch (error) {
    fill(box, el('p.card.problem', {}, error.message));
  }
}

function described() {
  const headers = {};
  for (const line of byId('explain-headers').value.split('\n')) {
    const mark = line.indexOf(':');
    if (line.trim() === '') continue;
    if (mark < 1) throw new Error(`“${line}” is no header; write name: value.`);
    headers[line.slice(0, mark).trim().toLowerCase()] = line.slice(mark + 1).trim();
  }
  return {
    method: byId('explain-method').value,
    url: byId('explain-url').value,
    headers,
    ...json('body', 'The body'),
    ...json('user', 'The user'),
  };
}

function json(name, what) {
  const text = byId(`explain-${name}`).value.trim();
  if (text === '') return {};
  try {
    return { [name]: JSON.parse(text) };
  } catch (error) {
    throw new Error(`${what} is no JSON: ${error.message}`, { cause: error });
  }
}

const TITLES = {
  hit: 'Hit',
  stale: 'Stale',
  miss: 'Miss',
  refresh: 'Refresh',
  bypass: 'Bypass',
  'not-cached': 'Not cached',
  'no-route': 'No route',
  error: 'Error',
};

function view(found) {
  const { verdict, reason, because, advice, route, template, method, path } = found;
  return [
    el(
      'article.card.verdict',
      { 'data-verdict': verdict },
      el(
        'header',
        {},
        el('span.badge.big', { 'data-type': verdict }, TITLES[verdict] ?? verdict),
        el('code', {}, reason),
      ),
      el('p.because', {}, because),
      advice.length === 0
        ? ''
        : el(
            'div',
            {},
            el('h3', {}, 'What to change'),
            el(
              'ul.advice',
              {},
              advice.map((each) => el('li', {}, each)),
            ),
          ),
      el('p.note', {}, route === undefined ? `${method} ${path}` : `${route} · ${method} ${template}`),
    ),
    past(found),
    found.key &&
      block(
        'Key',
        table(
          ['Part', 'Value'],
          found.key.map(({ name, value }) => [
            el('code', {}, name),
            el('code', {}, value === '' ? '(empty)' : value),
          ]),
        ),
      ),
    found.entry && entry(found.entry),
    found.tags &&
      block(
        'Tags',
        el(
          'ul.taglist',
          {},
          found.tags
            .filter(({ kind }) => kind !== 'key')
            .map(({ kind, name, stamp }) =>
              el(
                'li',
                {},
                el('span.kind', {}, kind),
                el('code', {}, name),
                el(
                  'span.faint',
                  {},
                  stamp === undefined ? 'never evicted, as far as is known' : `evicted at ${stamp}`,
                ),
              ),
            ),
        ),
      ),
    found.policy &&
      block(
        'Policy',
        table(
          ['Field', 'Value', 'From'],
          found.policy.map(({ field, value, from }) => [
            el('code', {}, field),
            el('code', {}, value),
            el('span.tag', { 'data-from': from }, from),
          ]),
        ),
      ),
  ].filter(Boolean);
}

function past({ lastFill, lastEviction }) {
  if (lastFill === undefined && lastEviction === undefined) return undefined;
  const facts = [
    lastFill && [
      'Last fill',
      `${lastFill.outcome === 'stored' ? 'stored' : `not stored: ${lastFill.outcome}`}, at ${time(lastFill.at)}`,
    ],
    lastEviction && [
      'Last evicted',
      `by ${whoOf(lastEviction.by)}, at ${time(lastEviction.at)}: ${lastEviction.tags.map(({ kind, name }) => `${kind} ${name}`).join(', ')}`,
    ],
  ];
  return block('What happened', pairs(facts.filter(Boolean), '.long'));
}

function entry({ status, bodyBytes, bytes: size, ageMs, freshForMs, tier, start, headers }) {
  return block(
    'Entry',
    pairs([
      ['Status', status],
      ['Age', duration(ageMs)],
      ['Fresh for', freshForMs < 0 ? 'stale' : duration(freshForMs)],
      ['Body', bytes(bodyBytes)],
      ['In memory', bytes(size)],
      ['Found', tier === 'shared' ? 'in the shared store' : 'in this process'],
      ['Started at', `eviction ${start}`],
    ]),
    el('h3', {}, 'Headers'),
    el(
      'dl.headers',
      {},
      headers.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value))),
    ),
  );
}

function block(title, ...children) {
  return el('article.card', {}, el('h2', {}, title), ...children);
}

function pairs(list, kind = '') {
  return el(
    `dl.pairs${kind}`,
    {},
    list.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, String(value)))),
  );
}

function table(heads, rows) {
  return el(
    'div.scroll',
    { tabindex: 0, role: 'region', 'aria-label': heads.join(', ') },
    el(
      'table',
      {},
      el(
        'thead',
        {},
        el(
          'tr',
          {},
          heads.map((head) => el('th', { scope: 'col' }, head)),
        ),
      ),
      el(
        'tbody',
        {},
        rows.map((cells) =>
          el(
            'tr',
            {},
            cells.map((cell) => el('td', {}, cell)),
          ),
        ),
      ),
    ),
  );
}
