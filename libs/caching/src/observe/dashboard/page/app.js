import { follow, read } from './api.js';
import { byId, toast } from './dom.js';
import { refresh, startEntries } from './entries.js';
import { startExplain } from './explain.js';
import { showLog, startLog, takeLog } from './log.js';
import { setClasses, showOverview } from './overview.js';
import { setRoutes, showRoutes } from './routes.js';
import { startTheme } from './theme.js';

const VIEWS = ['overview', 'routes', 'log', 'entries', 'explain'];
let last;

/** The view that the address names: links work, and so does the way back. */
function showView({ isFirst = false } = {}) {
  const name = VIEWS.find((view) => `#${view}` === location.hash) ?? 'overview';
  for (const view of VIEWS) byId(`view-${view}`).hidden = view !== name;
  for (const link of document.querySelectorAll('.tabs a')) {
    if (link.hash === `#${name}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.title = document.title.replace(
    /^(.* · )?Cache/,
    `${name[0].toUpperCase()}${name.slice(1)} · Cache`,
  );
  if (!isFirst) byId('main').focus({ preventScroll: true });
  if (name === 'entries') void refresh();
  if (name === 'log') showLog();
  if (last !== undefined) show(last);
}

function show(tick) {
  showOverview(tick);
  showRoutes(tick);
}

function onState(state, text) {
  const pill = byId('connection');
  if (pill.dataset.state === state && pill.lastElementChild.textContent === text) return;
  pill.dataset.state = state;
  pill.lastElementChild.textContent = text;
}

startTheme(byId('theme'));
startLog();
startEntries();
startExplain();
addEventListener('hashchange', () => showView());
showView({ isFirst: true });

try {
  const facts = await read('facts');
  setClasses(facts.classes);
  setRoutes(facts.routes);
} catch (error) {
  toast(`Could not be read: ${error.message}`, 'bad');
}
follow((tick) => {
  last = tick;
  takeLog(tick);
  show(tick);
}, onState);
