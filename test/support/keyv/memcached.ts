import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { mkdtemp } from 'node:fs/promises';
import { rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { findMemcached } from '../../../scripts/memcached.mjs';
import { freePort } from '../redis/free-port.js';
import { poll } from '../redis/poll.js';
import { watchdog } from '../redis/watchdog.js';

const START_TRIES = 5;

/** A memcached process on a loopback port. */
export interface Memcached {
  /** As in `127.0.0.1:14711`. */
  readonly address: string;
  /** SIGKILL and a new process on the same port: it has forgotten everything. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** @throws Error where it doesn't start, or with what to install where there is none */
export async function startMemcached(): Promise<Memcached> {
  const program = await findMemcached();
  const folder = await mkdtemp(join(tmpdir(), 'nestjs-caching-memcached-'));
  let cause: unknown;
  for (let tries = 0; tries < START_TRIES; tries++) {
    const port = await freePort();
    try {
      let child = await launch(program, port, folder);
      return {
        address: `127.0.0.1:${port}`,
        restart: async () => {
          await end(child);
          child = await launch(program, port, folder);
        },
        close: async () => {
          await end(child);
          await rm(folder, { recursive: true, force: true });
        },
      };
    } catch (error) {
      // Another process took the port meanwhile.
      cause = error;
    }
  }
  throw cause;
}

async function launch(program: string, port: number, folder: string): Promise<ChildProcess> {
  const { uid, username } = userInfo();
  const user = uid === 0 ? ['-u', username] : [];
  const child = spawn(program, ['-l', '127.0.0.1', '-p', String(port), '-U', '0', ...user], {
    stdio: 'ignore',
  });
  await once(child, 'spawn');
  watchdog.watch(child.pid as number, folder);
  try {
    await poll(`memcached on ${port} to accept`, async () => {
      if (child.exitCode !== null) throw new Error(`memcached ended with ${child.exitCode}`);
      const socket = connect(port, '127.0.0.1');
      try {
        await once(socket, 'connect');
        return true;
      } finally {
        socket.destroy();
      }
    });
  } catch (error) {
    await end(child);
    throw error;
  }
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }
  watchdog.forget(child.pid as number);
}
