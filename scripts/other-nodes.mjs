// Runs specs on the other versions of Node that the library promises to run on, each in turn: this one runs `npm test`.
//   node scripts/other-nodes.mjs            a part of the specs on the oldest 22 and on 24
//   node scripts/other-nodes.mjs --all      all specs on all of them
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What `engines` begins with, and the newest of each line. */
const ALL = ['20.19.0', '22.12.0', '22.23.3', '24.21.0', '26.12.1'];
const SOME = ['22.12.0', '24.21.0'];

/** What hangs on Node itself: responses and how they are written, streams, bytes of values, drivers, sockets. */
const PART = [
  'test/behaviour/replay-',
  'test/behaviour/recording-',
  'test/behaviour/http-compression',
  'test/behaviour/http-validators',
  'test/behaviour/coalescing-',
  'test/behaviour/cache-context',
  'test/behaviour/dashboard-attacks',
  'test/behaviour/memoize-arguments',
  'test/behaviour/module-registration',
  'test/behaviour/redis-vary',
  'test/contract/memory-store',
  'test/contract/sqlite-file',
  'test/contract/redis-lives',
  'test/property/entry-codec',
  'test/property/key-bytes',
  'test/property/value-codec',
];

const LIMIT_MS = { part: 300_000, all: 1_500_000 };

const root = fileURLToPath(new URL('..', import.meta.url));
const isFull = process.argv.includes('--all');
const failed = [];

for (const version of isFull ? ALL : SOME) {
  const folder = await mkdtemp(join(tmpdir(), 'nestjs-caching-node-'));
  try {
    const env = { ...process.env, PATH: `${await install(version, folder)}${delimiter}${process.env.PATH}` };
    await run('node', ['--print', '`=== Node ${process.version}`'], { env });
    const specs = isFull ? [] : ['--project', 'library', ...PART];
    const built = await run('npm', ['run', 'build'], { env });
    const tested = await run('npm', ['test', '--', '--reporter=default', ...specs], { env });
    if (built !== 0 || tested !== 0) failed.push(version);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
if (failed.length > 0) {
  process.stderr.write(`specs failed on Node ${failed.join(', ')}\n`);
  process.exitCode = 1;
}

/** The folder of the program, from the packages that npm's own package `node` takes it from. */
async function install(version, folder) {
  await writeFile(join(folder, 'package.json'), '{"private":true}');
  const name = `node-${process.platform}-${process.arch}`;
  const npm = ['install', '--no-audit', '--no-fund', '--loglevel=error', `${name}@${version}`];
  const code = await run('npm', npm, { cwd: folder });
  if (code !== 0) throw new Error(`npm can't install ${name}@${version}: is there one for this machine?`);
  return join(folder, 'node_modules', name, 'bin');
}

/** @returns {Promise<number>} its exit code; 1 where it was ended by a signal, as after its time */
function run(program, args, options) {
  return new Promise((resolve, reject) => {
    const timeout = isFull ? LIMIT_MS.all : LIMIT_MS.part;
    spawn(program, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], timeout, ...options })
      .on('error', reject)
      .on('exit', (code) => resolve(code ?? 1));
  });
}
