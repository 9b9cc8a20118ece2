import { byId, count, duration, el, fill, time } from './dom.js';

const MAX_LINES = 500;
const SHOWN = 200;
const TYPES = {
  hit: 'Hit',
  stale: 'Stale',
  coalesced: 'Coalesced',
  stored: 'Stored',
  skipped: 'Skipped',
  bypassed: 'Bypassed',
  evicted: 'Evicted',
  other: 'Store',
};
const kindOf = (type) => (Object.hasOwn(TYPES, type) ? type : 'other');

let lines = [];
let missed = 0;
let isPaused = false;
const off = new Set();

export function startLog() {
  for (const [type, label] of Object.entries(TYPES)) {
    const box = el('input', {
      type: 'checkbox',
      checked: true,
      onchange: ({ target }) => {
        if (target.checked) off.delete(type);
        else off.add(type);
        draw();
      },
    });
    byId('log-types').append(el('label.chip', { 'data-type': type }, box, label));
  }
  byId('log-filter').addEventListener('input', draw);
  byId('log-pause').addEventListener('click', ({ currentTarget }) => {
    isPaused = !isPaused;
    currentTarget.setAttribute('aria-pressed', isPaused);
    currentTarget.textContent = isPaused ? 'Go on' : 'Pause';
    if (!isPaused) draw();
  });
}

export function takeLog({ log, missed: more }) {
  missed += more;
  if (log.length === 0) return;
  // After a reconnection some come again.
  const last = lines.at(-1)?.n ?? 0;
  const isNew = log[0].n > last || log.at(-1).n < last;
  lines = [...(log.at(-1).n < last ? [] : lines), ...(isNew ? log : log.filter(({ n }) => n > last))].slice(
    -MAX_LINES,
  );
  if (!isPaused) draw();
}

export function showLog() {
  if (!isPaused) draw();
}

function draw() {
  if (byId('view-log').hidden) return;
  const text = byId('log-filter').value.trim().toLowerCase();
  const found = lines.filter(
    ({ type, route = '', detail, entry = '' }) =>
      !off.has(kindOf(type)) &&
      (text === '' || `${route} ${detail} ${entry} ${type}`.toLowerCase().includes(text)),
  );
  byId('log-empty').hidden = found.length > 0;
  byId('log-note').textContent =
    `${count(found.length)} of the last ${count(lines.length)} lines` +
    (missed > 0 ? `; ${count(missed)} came too fast to be shown` : '') +
    '. An entry’s mark stands for its key in this process.';
  fill(byId('log-body'), found.slice(-SHOWN).toReversed().map(row));
}

function row({ at, type, route, detail, entry, took }) {
  return el(
    'tr',
    {},
    el('td.mono', { 'data-label': 'Time' }, time(at)),
    el(
      'td',
      { 'data-label': 'Outcome' },
      el('span.badge', { 'data-type': kindOf(type) }, TYPES[type] ?? type),
    ),
    el('td', { 'data-label': 'Route' }, route ?? '–'),
    el('td', { 'data-label': 'Detail' }, detail),
    el('td.mono.faint', { 'data-label': 'Entry' }, entry ?? '–'),
    el('td.number', { 'data-label': 'Took' }, took === undefined ? '–' : duration(took)),
  );
}
