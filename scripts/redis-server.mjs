// Finds redis-server and redis-cli for tests and demos, and installs them where this process may. Run as a program,
// it prints where they are.
import { mkdir, rename, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findOrInstall, onPath, run } from './system-packages.mjs';

const OLDEST_MAJOR = 7;
const INSTALL_TIMEOUT_MS = 300_000;
/** Where a link named redis-server is kept when only Debian's redis-tools is installed. */
const LINK_FOLDER = fileURLToPath(new URL('../node_modules/.cache/redis-server', import.meta.url));

/**
 * Debian's redis-tools holds the server's program under another name and, unlike the package redis-server, starts no
 * service. The other packages start none either.
 */
const MANAGERS = [
  {
    program: 'apt-get',
    as: 'root or sudo',
    steps: [
      ['update', '-qq'],
      ['install', '-y', '-qq', '--no-install-recommends', 'redis-tools'],
    ],
  },
  { program: 'apk', as: 'root or sudo', steps: [['add', '--no-cache', 'redis']] },
  { program: 'dnf', as: 'root or sudo', steps: [['install', '-y', '-q', 'redis']] },
  { program: 'brew', as: 'anybody', steps: [['install', '--quiet', 'redis']] },
];

const ADVICE =
  `redis-server ${OLDEST_MAJOR} or newer and redis-cli are needed on PATH: ` +
  "install them with 'apt-get install redis-server', 'apk add redis', 'dnf install redis' or 'brew install redis'";

/** @type {Promise<import('./redis-server.mjs').RedisPrograms> | undefined} */
let found;

/** Described in redis-server.d.mts. */
export function findRedisServer() {
  found ??= findOrInstall(look, {
    name: 'redis-server',
    managers: MANAGERS,
    timeout: INSTALL_TIMEOUT_MS,
    advice: ADVICE,
  });
  return found;
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
  const { output } = await run(server, ['--version'], INSTALL_TIMEOUT_MS);
  return /^Redis server v=(\S+)/.exec(output)?.[1];
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
