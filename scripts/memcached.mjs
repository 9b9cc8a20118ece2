// Finds memcached for tests, and installs it where this process may.
import { findOrInstall, onPath } from './system-packages.mjs';

const INSTALL_TIMEOUT_MS = 300_000;

const MANAGERS = [
  {
    program: 'apt-get',
    as: 'root or sudo',
    steps: [
      ['update', '-qq'],
      ['install', '-y', '-qq', '--no-install-recommends', 'memcached'],
    ],
  },
  { program: 'apk', as: 'root or sudo', steps: [['add', '--no-cache', 'memcached']] },
  { program: 'dnf', as: 'root or sudo', steps: [['install', '-y', '-q', 'memcached']] },
  { program: 'brew', as: 'anybody', steps: [['install', '--quiet', 'memcached']] },
];

const ADVICE =
  "memcached is needed on PATH: install it with 'apt-get install memcached', 'apk add memcached', " +
  "'dnf install memcached' or 'brew install memcached'";

/** @type {Promise<string> | undefined} */
let found;

/** Described in memcached.d.mts. */
export function findMemcached() {
  found ??= findOrInstall(() => onPath('memcached'), {
    name: 'memcached',
    managers: MANAGERS,
    // The tests start servers of their own, so Debian need not start its service.
    settings: ['RUNLEVEL=1'],
    timeout: INSTALL_TIMEOUT_MS,
    advice: ADVICE,
  });
  return found;
}
