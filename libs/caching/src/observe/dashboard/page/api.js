import { confirmed, toast } from './dom.js';

const API = new URL('../api/', import.meta.url);
const meta = document.querySelector('meta[name="cache-token"]');

async function request(path, options) {
  const response = await fetch(new URL(path, API), { credentials: 'same-origin', ...options });
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.reason ?? response.statusText), answer);
  return answer;
}

export const read = (path) => request(path);

/** Sends what changes something. Where another process answers now, it has another token. */
export async function change(path, value, tries = 3) {
  try {
    return await request(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-cache-dashboard-token': meta.content },
      body: JSON.stringify(value),
    });
  } catch (error) {
    if (error.reason !== 'token' || tries === 1) throw error;
    meta.content = (await request('token')).token;
    return change(path, value, tries - 1);
  }
}

const evicted = new EventTarget();
export const onEvicted = (listener) => evicted.addEventListener('evicted', listener);

/** Asks, evicts, and says what became of it. */
export async function evict(by, value, what) {
  if (!(await confirmed(`${what} will be answered by the handler again.`))) return false;
  try {
    const { acknowledged, stamp } = await change('evict', { by, value });
    toast(
      acknowledged ? `Evicted, as number ${stamp}` : 'Evicted here; the shared store will be told',
      'good',
    );
    evicted.dispatchEvent(new Event('evicted'));
    return true;
  } catch (error) {
    toast(`Not evicted: ${error.message}`, 'bad');
    return false;
  }
}

/** Follows what happens. The browser connects again by itself; a page that nobody sees doesn't listen. */
export function follow(onTick, onState) {
  let source;
  const open = () => {
    if (source !== undefined || document.hidden) return;
    onState('waiting', 'Connecting');
    source = new EventSource(new URL('live', API));
    source.addEventListener('message', ({ data }) => {
      onState('live', 'Live');
      onTick(JSON.parse(data));
    });
    source.addEventListener('error', () => {
      const isOver = source?.readyState === EventSource.CLOSED;
      onState('lost', isOver ? 'Not connected' : 'Reconnecting');
      if (!isOver) return;
      source = undefined;
      setTimeout(open, 5000);
    });
  };
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) return open();
    source?.close();
    source = undefined;
  });
  open();
}
