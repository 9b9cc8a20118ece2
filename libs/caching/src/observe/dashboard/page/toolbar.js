/**
 * The badge that `toolbar: true` adds to the application's pages: what the cache did for this page. It lives in a
 * shadow tree with a style sheet of its own, so neither page nor badge changes how the other looks.
 */
const API = new URL('../api/', import.meta.url);
const DASHBOARD = new URL('..', import.meta.url).pathname.replace(/\/$/, '');

const STYLE = `
  :host { all: initial; position: fixed; right: 14px; bottom: 14px; z-index: 2147483000; color-scheme: light dark;
    font: 13px/1.45 system-ui, 'DejaVu Sans', sans-serif; color: light-dark(#171a2b, #eceef8); }
  * { box-sizing: border-box; }
  button, a { font: inherit; }
  .badge { display: flex; align-items: center; gap: 8px; margin-left: auto; padding: 7px 13px; border: 1px solid light-dark(#d9dcea, #343a54);
    border-radius: 99px; background: light-dark(#fff, #161927); color: inherit; font-weight: 600; cursor: pointer;
    box-shadow: 0 6px 24px -8px #171a2b66; }
  .badge:focus-visible, a:focus-visible { outline: 2px solid light-dark(#4f46e5, #8b8cf8); outline-offset: 2px; }
  i { width: 9px; height: 9px; border-radius: 50%; background: #94a3b8; }
  [data-verdict='hit'] i, [data-verdict='coalesced'] i { background: #17a673; }
  [data-verdict='miss'] i, [data-verdict='skipped'] i { background: #e08a1e; }
  [data-verdict='stale'] i { background: #7c3aed; }
  .panel { width: min(400px, calc(100vw - 28px)); margin-bottom: 8px; padding: 14px 16px; border: 1px solid light-dark(#d9dcea, #343a54);
    border-radius: 14px; background: light-dark(#fff, #161927); box-shadow: 0 18px 60px -16px #171a2b88; }
  dl { display: grid; grid-template-columns: 92px minmax(0, 1fr); gap: 5px 12px; margin: 0 0 12px; }
  dt { color: light-dark(#5a6079, #a3aac4); }
  dd { margin: 0; overflow-wrap: anywhere; }
  code { font-family: ui-monospace, 'DejaVu Sans Mono', monospace; font-size: 12px; }
  .tag { display: inline-block; margin: 0 4px 2px 0; padding: 0 7px; border-radius: 6px; background: light-dark(#f0f1f7, #23273b); }
  a { color: light-dark(#4f46e5, #a5a6ff); font-weight: 600; }
  [hidden] { display: none; }
`;

const NAMES = {
  hit: 'Hit',
  stale: 'Stale',
  miss: 'Miss',
  coalesced: 'Coalesced',
  skipped: 'Not stored',
  bypassed: 'Bypass',
  'not-cached': 'Not cached',
};

/** `Server-Timing` of the page itself: also of one that the browser kept, as a 304 brings it anew. */
function timing() {
  const [page] = performance.getEntriesByType('navigation');
  return Object.fromEntries((page?.serverTiming ?? []).map(({ name, description }) => [name, description]));
}

async function viewOf(id) {
  const here = `view?id=${encodeURIComponent(id ?? '')}&url=${encodeURIComponent(location.pathname + location.search)}`;
  const response = await fetch(new URL(here, API), { credentials: 'same-origin' });
  return response.ok ? response.json() : undefined;
}

function element(name, text, attributes = {}) {
  const made = Object.assign(document.createElement(name), { textContent: text ?? '' });
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

const milliseconds = (value) =>
  value === undefined ? undefined : `${value < 10 ? value.toFixed(2) : Math.round(value)} ms`;

function tagsOf(tags) {
  const line = document.createElement('dd');
  line.append(...tags.map((tag) => element('span', tag, { class: 'tag' })));
  return line;
}

function detailsOf({ route, reason, key, ageMs, tags, storeMs, handlerMs }) {
  const list = document.createElement('dl');
  const facts = {
    Route: route,
    Reason: reason,
    Age: ageMs === undefined ? undefined : `${(ageMs / 1000).toFixed(1)} s`,
    Store: milliseconds(storeMs),
    Handler: milliseconds(handlerMs),
  };
  for (const [name, value] of Object.entries(facts))
    if (value !== undefined) list.append(element('dt', name), element('dd', value));
  if (key !== undefined) {
    const line = document.createElement('dd');
    line.append(element('code', key));
    list.append(element('dt', 'Key'), line);
  }
  if (tags?.length > 0) list.append(element('dt', 'Tags'), tagsOf(tags));
  return list;
}

async function show() {
  const { 'cache-view': id, 'cache-verdict': verdict } = timing();
  // A page whose policy forbids to ask still shows the verdict.
  const view = (await viewOf(id).catch(() => undefined)) ?? { verdict };
  if (view.verdict === undefined) return;
  const host = element('nestjs-caching-toolbar');
  const root = host.attachShadow({ mode: 'open' });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];
  const panel = element('div', '', {
    class: 'panel',
    id: 'panel',
    role: 'region',
    'aria-label': 'What the cache did for this page',
  });
  panel.hidden = true;
  panel.append(detailsOf(view), element('a', 'Open the dashboard', { href: DASHBOARD }));
  const badge = element('button', '', {
    class: 'badge',
    type: 'button',
    'aria-expanded': 'false',
    'aria-controls': 'panel',
    'data-verdict': view.verdict,
  });
  const took = milliseconds(view.verdict === 'hit' ? view.storeMs : view.handlerMs);
  badge.append(
    document.createElement('i'),
    `Cache: ${NAMES[view.verdict] ?? view.verdict}${took === undefined ? '' : ` · ${took}`}`,
  );
  badge.addEventListener('click', () => {
    panel.hidden = !panel.hidden;
    badge.setAttribute('aria-expanded', String(!panel.hidden));
  });
  root.append(panel, badge);
  document.body.append(host);
}

void show();
