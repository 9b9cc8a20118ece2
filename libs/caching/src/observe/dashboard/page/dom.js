/** @returns {HTMLElement} the element of this id */
export const byId = (id) => document.getElementById(id);

/**
 * Makes an element. Children are elements or texts: what comes from requests is never taken for markup.
 *
 * @param {string} tag name, and classes behind dots
 * @param {Record<string, any>} [attributes] with `on…` listeners
 */
export function el(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split('.');
  const element = document.createElement(name);
  if (classes.length > 0) element.className = classes.join(' ');
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, '');
    else if (value !== undefined && value !== false) element.setAttribute(key, `${value}`);
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null));
  return element;
}

export function fill(parent, ...children) {
  parent.replaceChildren(...children.flat());
}

const whole = new Intl.NumberFormat('en');

export function count(value) {
  if (value < 10_000) return whole.format(value);
  return new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 }).format(value);
}

export function bytes(value) {
  if (value < 1024) return `${value} B`;
  const units = ['KiB', 'MiB', 'GiB'];
  let at = -1;
  let rest = value;
  do {
    rest /= 1024;
    at++;
  } while (rest >= 1024 && at < units.length - 1);
  return `${rest < 10 ? rest.toFixed(1) : Math.round(rest)} ${units[at]}`;
}

/** A duration in milliseconds. */
export function duration(ms) {
  if (ms === undefined || Number.isNaN(ms)) return '–';
  if (ms < 0) return `−${duration(-ms)}`;
  if (ms === 0) return '0 ms';
  if (ms < 1) return `${ms < 0.1 ? ms.toFixed(2) : ms.toFixed(1)} ms`;
  if (ms < 1000) return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = seconds / 60;
  if (minutes < 60) return `${Math.floor(minutes)} min ${Math.floor(seconds % 60)} s`;
  const hours = minutes / 60;
  return hours < 48
    ? `${Math.floor(hours)} h ${Math.floor(minutes % 60)} min`
    : `${Math.floor(hours / 24)} days`;
}

export function percent(share) {
  if (Number.isNaN(share)) return '–';
  const value = share * 100;
  return `${value > 0 && value < 99.95 && (value < 10 || value > 90) ? value.toFixed(1) : Math.round(value)} %`;
}

export function time(at) {
  return new Date(at).toLocaleTimeString('en-GB');
}

let hiding;

/** Tells something in passing. */
export function toast(text, kind = 'good') {
  const element = byId('toast');
  element.textContent = text;
  element.dataset.kind = kind;
  element.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => (element.hidden = true), 5000);
}

/** Asks before something is done that can't be taken back. */
export function confirmed(text) {
  const dialog = byId('confirm');
  byId('confirm-text').textContent = text;
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}

/** Who evicted, for people. */
export function whoOf({ via, route }) {
  const names = {
    decorator: '@CacheEvict',
    'auto-evict': 'autoEvict',
    service: 'a service',
    dashboard: 'this dashboard',
    elsewhere: 'another instance',
  };
  return route === undefined ? names[via] : `${names[via]} of ${route}`;
}
