// Finds programs, and installs them with the system's package manager where this process may.
import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const RETRY_MS = 1_000;
const LOCKED = /could not get lock|unable to (lock|acquire)/i;

/** Described in system-packages.d.mts. */
export async function findOrInstall(look, { advice, ...wanted }) {
  const present = await look();
  if (present !== undefined) return present;
  const problem = await install(wanted);
  const installed = await look();
  if (installed === undefined) throw new Error(problem === undefined ? advice : `${advice} (${problem})`);
  return installed;
}

/** Described in system-packages.d.mts. */
export async function onPath(name) {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, name);
    if (folder !== '' && (await isProgram(path))) return path;
  }
  return undefined;
}

/** Described in system-packages.d.mts. */
export async function isProgram(path) {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Described in system-packages.d.mts. */
export function run(program, args, timeout) {
  return new Promise((resolve) => {
    execFile(program, args, { timeout }, (error, stdout, stderr) => {
      resolve({ failed: error !== null, output: `${stdout}${stderr}` });
    });
  });
}

/** What kept it from being installed, in one line; nothing where it seems to be installed. */
async function install({ name, managers, settings = [], timeout }) {
  const manager = await firstPresent(managers);
  if (manager === undefined) return 'no package manager was found';
  const { program, as } = manager;
  const prefix = as === 'anybody' ? [] : await asRoot(as, timeout);
  if (prefix === undefined)
    return `${program} needs root${as === 'root or sudo' ? ', or sudo without a password' : ''}`;
  process.stderr.write(`${name} is not installed: asking ${program} for it\n`);
  const command = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', ...settings, program];
  const until = Date.now() + timeout;
  for (;;) {
    const { problem, locked } = await perform(manager, command, timeout);
    if (problem === undefined || !locked || Date.now() > until) return problem;
    await delay(RETRY_MS);
  }
}

async function perform({ program, steps }, [first, ...rest], timeout) {
  let problem;
  let locked = false;
  for (const step of steps) {
    const { failed, output } = await run(first, [...rest, ...step], timeout);
    // One unreachable package source fails an update that brought all that is needed: the last step decides.
    const lastLine = output.trim().split('\n').at(-1);
    problem = failed ? `${program} ${step[0]}: ${lastLine}` : undefined;
    // Another run holds the package manager; without its update, the install would not know the package.
    locked ||= failed && LOCKED.test(output);
  }
  return { problem, locked };
}

async function firstPresent(managers) {
  for (const manager of managers) if ((await onPath(manager.program)) !== undefined) return manager;
  return undefined;
}

async function asRoot(as, timeout) {
  if (process.getuid?.() === 0) return [];
  if (as === 'root') return undefined;
  const { failed } = await run('sudo', ['-n', 'true'], timeout);
  return failed ? undefined : ['sudo', '-n'];
}
