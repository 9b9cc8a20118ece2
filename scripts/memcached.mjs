// Finds memcached for tests, and installs it where this process may.
import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const INSTALL_TIMEOUT_MS = 300_000;
const RETRY_MS = 1_000;

const MANAGERS = [
  {
    program: 'apt-get',
    root: true,
    steps: [
      ['update', '-qq'],
      ['install', '-y', '-qq', '--no-install-recommends', 'memcached'],
    ],
  },
  { program: 'apk', root: true, steps: [['add', '--no-cache', 'memcached']] },
  { program: 'dnf', root: true, steps: [['install', '-y', '-q', 'memcached']] },
  { program: 'brew', root: false, steps: [['install', '--quiet', 'memcached']] },
];

const ADVICE =
  "memcached is needed on PATH: install it with 'apt-get install memcached', 'apk add memcached', " +
  "'dnf install memcached' or 'brew install memcached'";

/** @type {Promise<string> | undefined} */
let found;

/** Described in memcached.d.mts. */
export function findMemcached() {
  found ??= findOrInstall();
  return found;
}

async function findOrInstall() {
  const present = await onPath('memcached');
  if (present !== undefined) return present;
  const problem = await install();
  const installed = await onPath('memcached');
  if (installed === undefined) throw new Error(problem === undefined ? ADVICE : `${ADVICE} (${problem})`);
  return installed;
}

async function onPath(name) {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, name);
    if (folder !== '' && (await isProgram(path))) return path;
  }
  return undefined;
}

async function isProgram(path) {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** What kept it from being installed, in one line; nothing where it seems to be installed. */
async function install() {
  const manager = await firstPresent();
  if (manager === undefined) return 'no package manager was found';
  const prefix = manager.root ? await asRoot() : [];
  if (prefix === undefined) return `${manager.program} needs root, and sudo asks for a password`;
  process.stderr.write(`memcached is not installed: asking ${manager.program} for it\n`);
  const until = Date.now() + INSTALL_TIMEOUT_MS;
  for (;;) {
    const problem = await perform(manager, prefix);
    // Another run may have installed it meanwhile, or hold the package manager's lock.
    if (problem === undefined || Date.now() > until || !/lock/i.test(problem)) return problem;
    await delay(RETRY_MS);
  }
}

async function perform({ program, steps }, prefix) {
  // RUNLEVEL: the tests start servers of their own, so Debian need not start its service.
  const settings = ['env', 'DEBIAN_FRONTEND=noninteractive', 'RUNLEVEL=1'];
  const [first, ...rest] = [...prefix, ...settings, program];
  let problem;
  for (const step of steps) {
    const { failed, output } = await run(first, [...rest, ...step]);
    // One unreachable package source fails an update that brought all that is needed: the last step decides.
    const lastLine = output.trim().split('\n').at(-1);
    problem = failed ? `${program} ${step[0]}: ${lastLine}` : undefined;
  }
  return problem;
}

async function firstPresent() {
  for (const manager of MANAGERS) if ((await onPath(manager.program)) !== undefined) return manager;
  return undefined;
}

async function asRoot() {
  if (process.getuid?.() === 0) return [];
  const { failed } = await run('sudo', ['-n', 'true']);
  return failed ? undefined : ['sudo', '-n'];
}

function run(program, args) {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: INSTALL_TIMEOUT_MS }, (error, stdout, stderr) => {
      resolve({ failed: error !== null, output: `${stdout}${stderr}` });
    });
  });
}
