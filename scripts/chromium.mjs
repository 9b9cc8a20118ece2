// Finds Chromium for the browser tests, and installs it where this process may. Run as a program, it prints where it is.
import { fileURLToPath } from 'node:url';
import { findOrInstall, isProgram, onPath } from './system-packages.mjs';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const INSTALL_TIMEOUT_MS = 600_000;

const MANAGERS = [
  {
    program: 'apt-get',
    as: 'root',
    steps: [
      ['update', '-qq'],
      ['install', '-y', '-qq', '--no-install-recommends', 'chromium'],
    ],
  },
  { program: 'apk', as: 'root', steps: [['add', '--no-cache', 'chromium']] },
  { program: 'dnf', as: 'root', steps: [['install', '-y', '-q', 'chromium']] },
];

const ADVICE =
  'Chromium is needed on PATH, or named by CHROMIUM: ' +
  "install it with 'apt-get install chromium', 'apk add chromium', 'dnf install chromium' or 'brew install chromium'";

/** Nothing of the network but what the test opens, and no graphics card. */
export const CHROMIUM_FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** @type {Promise<string> | undefined} */
let found;

/** Described in chromium.d.mts. */
export function findChromium() {
  found ??= findOrInstall(look, {
    name: 'Chromium',
    managers: MANAGERS,
    timeout: INSTALL_TIMEOUT_MS,
    advice: ADVICE,
  });
  return found;
}

async function look() {
  const { CHROMIUM } = process.env;
  if (CHROMIUM) {
    if (await isProgram(CHROMIUM)) return CHROMIUM;
    throw new Error(`CHROMIUM is ${CHROMIUM}, which is no program`);
  }
  for (const name of NAMES) {
    const path = await onPath(name);
    if (path !== undefined) return path;
  }
  return undefined;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(`${await findChromium()}\n`);
