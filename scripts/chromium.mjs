// Finds Chromium for the browser tests, and installs it where this process may. Run as a program, it prints where it is.
import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const INSTALL_TIMEOUT_MS = 600_000;
const RETRY_MS = 1_000;
const LOCKED = /could not get lock|unable to (lock|acquire)/i;

const MANAGERS = [
  {
    program: 'apt-get',
    steps: [
      ['update', '-qq'],
      ['install', '-y', '-qq', '--no-install-recommends', 'chromium'],
    ],
  },
  { program: 'apk', steps: [['add', '--no-cache', 'chromium']] },
  { program: 'dnf', steps: [['install', '-y', '-q', 'chromium']] },
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
  found ??= findOrInstall();
  return found;
}

async function findOrInstall() {
  const present = await look();
  if (present !== undefined) return present;
  const problem = await install();
  const installed = await look();
  if (installed === undefined) throw new Error(problem === undefined ? ADVICE : `${ADVICE} (${problem})`);
  return installed;
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

async function onPath(name) {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, name);
    if (folder !== '' && (await isProgram(path))) return path;
  }
  return undefined;
}

async function isProgram(path) {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Returns what went wrong, for the message. */
async function install() {
  if (process.getuid?.() !== 0) return 'it is not installed, and only root may install it';
  for (const { program, steps } of MANAGERS) {
    if ((await onPath(program)) === undefined) continue;
    for (const step of steps) {
      const problem = await runUnlocked(program, step);
      if (problem !== undefined) return `${program} ${step[0]}: ${problem}`;
    }
    return undefined;
  }
  return 'no package manager that is known here';
}

/** Waits while another process installs something. */
async function runUnlocked(program, args) {
  const until = Date.now() + INSTALL_TIMEOUT_MS;
  for (;;) {
    const problem = await run(program, args);
    if (problem === undefined || !LOCKED.test(problem) || Date.now() > until) return problem;
    await delay(RETRY_MS);
  }
}

function run(program, args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return new Promise((resolve) => {
    execFile(program, args, { env, timeout: INSTALL_TIMEOUT_MS }, (error, _stdout, stderr) => {
      resolve(error === null ? undefined : stderr.trim().split('\n').at(-1) || error.message);
    });
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(`${await findChromium()}\n`);
