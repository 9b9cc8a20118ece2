/** Light or dark: as the system has it, until somebody says otherwise. */
const KEY = 'nestjs-caching.theme';
const listeners = new Set();
const system = matchMedia('(prefers-color-scheme: dark)');

export function isDark() {
  const { theme } = document.documentElement.dataset;
  return theme === undefined ? system.matches : theme === 'dark';
}

/** Calls `listener` when the theme changes. */
export function onTheme(listener) {
  listeners.add(listener);
}

function tell() {
  for (const listener of listeners) listener();
}

export function startTheme(button) {
  const saved = localStorage.getItem(KEY);
  if (saved === 'dark' || saved === 'light') document.documentElement.dataset.theme = saved;
  system.addEventListener('change', tell);
  button.addEventListener('click', () => {
    const next = isDark() ? 'light' : 'dark';
    document.documentElement.dataset.theme = next;
    localStorage.setItem(KEY, next);
    tell();
  });
}

/** Only what has a colour tells what `light-dark()` comes to. */
const probe = document.body.appendChild(document.createElement('i'));
probe.hidden = true;

/** A colour of the style sheet by its name. */
export function color(name) {
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}
