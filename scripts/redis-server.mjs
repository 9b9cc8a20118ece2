// Finds redis-server and redis-cli for tests and demos, and installs them where this process may. Run as a program,
// it prints where they are.
import { execFile } from 'node:child_process';
import { access, constants, mkdir, rename, symlink } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const OLDEST_MAJOR = 7;
const INSTALL_TIMEOUT_MS = 300_000;
const RETRY_MS = 1_000;
const LOCKED = /could not get lock|unable to (lock|acquire)/i;
/** Where a link named redis-server is kept when only Debian's redis-tools is installed. */
const LINK_FOLDER = fileURLToPath(new URL('../node_modules/.cache/redis-server', import.meta.url));

/**
 * Debian's redis-tools holds the server's program under another name and, unlike the package redis-server, starts no
 * service. The other packages start none either.
 */
const MANAGERS = [
  {
    program: 'apt-get',
    root: true,
    steps: [
      ['update', '-qq'],
      ['install', '-y', '-qq', '--no-install-recommends', 'redis-tools'],
    ],
  },
  { program: 'apk', root: true, steps: [['add', '--no-cache', 'redis']] },
  { program: 'dnf', root: true, steps: [['install', '-y', '-q', 'redis']] },
  { program: 'brew', root: false, steps: [['install', '--quiet', 'redis']] },
];

const ADVICE =
  `redis-server ${OLDEST_MAJOR} or newer and redis-cli are needed on PATH: ` +
  "install them with 'apt-get install redis-server', 'apk add redis', 'dnf install redis' or 'brew install redis'";

/** @type {Promise<import('./redis-server.mjs').RedisPrograms> | undefined} */
let found;

/** Described in redis-server.d.mts. */
export function findRedisServer() {
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
  const cli = await onPath('redis-cli');
  const server = (await onPath('redis-server')) ?? (await linkedServer());
  if (cli === undefined || server === undefined) return undefined;
  const version = await versionOf(server);
  if (version === undefined || Number.parseInt(version, 10) < OLDEST_MAJOR) {
    throw new Error(`${ADVICE} (${server} is version ${version ?? 'unknown'})`);
  }
  return { server, cli, version };
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

/** Redis looks at the name by which it is called: this link makes a server of redis-tools' redis-check-rdb. */
async function linkedServer() {
  const program = await onPath('redis-check-rdb');
  if (program === undefined) return undefined;
  const link = join(LINK_FOLDER, 'redis-server');
  const fresh = `${link}.${process.pid}`;
  await mkdir(LINK_FOLDER, { recursive: true });
  await symlink(program, fresh);
  // In one step, as two runs may come here at once.
  await rename(fresh, link);
  return (await versionOf(link)) === undefined ? undefined : link;
}

async function versionOf(server) {
  const { output } = await run(server, ['--version']);
  return /^Redis server v=(\S+)/.exec(output)?.[1];
}

/** What kept it from being installed, in one line; nothing where it seems to be installed. */
async function install() {
  const manager = await firstPresent();
  if (manager === undefined) return 'no package manager was found';
  const prefix = manager.root ? await asRoot() : [];
  if (prefix === undefined) return `${manager.program} needs root, or sudo without a password`;
  process.stderr.write(`redis-server is not installed: asking ${manager.program} for it\n`);
  const until = Date.now() + INSTALL_TIMEOUT_MS;
  for (;;) {
    const { problem, locked } = await perform(manager, prefix);
    if (problem === undefined || !locked || Date.now() > until) return problem;
    await delay(RETRY_MS);
  }
}

async function perform({ program, steps }, prefix) {
  const [first, ...rest] = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', program];
  let problem;
  let locked = false;
  for (const step of steps) {
    const { failed, output } = await run(first, [...rest, ...step]);
    // One unreachable package source fails an update that brought all that is needed: the last step decides.
    const lastLine = output.trim().split('\n').at(-1);
    problem = failed ? `${program} ${step[0]}: ${lastLine}` : undefined;
    // Another run holds the package manager; without its update, the install would not know the package.
    locked ||= failed && LOCKED.test(output);
  }
  return { problem, locked };
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

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const { server, version } = await findRedisServer();
    process.stdout.write(`redis-server ${version}: ${server}\n`);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
