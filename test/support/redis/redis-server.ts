/**
 * Real Redis servers for specs.
 *
 *   const redis = await startRedis({ appendonly: true });
 *   redis.url                        // redis://127.0.0.1:14711, with the password where there is one
 *   await redis.command('CONFIG', 'SET', 'maxmemory', '1mb');
 *   await redis.kill();              // SIGKILL, resolves when it is gone; connections are reset
 *   await redis.restart();           // same port, same folder: what the append-only file holds is there again
 *   redis.stop(); redis.resume();    // SIGSTOP and SIGCONT: connections stay open and silent
 *   await redis.close();             // ends it and removes its folder; also when it is killed or stopped
 *
 * Beside it: startCluster (redis-cluster.ts), startSentinel (redis-sentinel.ts), a proxy that breaks connections
 * (fault-proxy.ts), and the clients under test (clients.ts). What a test leaves running ends with its process
 * (watchdog.ts).
 */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findRedisServer } from '../../../scripts/redis-server.mjs';
import { freePort } from './free-port.js';
import { RedisServer } from './redis-process.js';

const START_TRIES = 5;

export { RedisServer };

/** What a server is started with; nothing is saved to disk unless `appendonly` asks for it. */
export interface RedisOptions {
  /** Default: one that is free. */
  readonly port?: number;
  readonly appendonly?: boolean;
  /** As in `2mb`. Default: no bound. */
  readonly maxmemory?: string;
  /** As in `allkeys-lru`. Default: `noeviction`. */
  readonly maxmemoryPolicy?: string;
  readonly requirepass?: string;
  /** Further arguments of redis-server, as in `['--hz', '100']`; they win over the others. */
  readonly args?: readonly string[];
}

/** What runs in a folder of its own, on a port that may have to be another one. */
export interface Launch {
  readonly port?: number;
  readonly requirepass?: string;
  /** Text of `redis.conf`, which the process may rewrite. */
  readonly configuration?: string;
  /** Arguments of redis-server; `redis.conf` is in the working folder. */
  readonly args: (port: number, folder: string) => string[];
}

/**
 * Starts a redis-server on 127.0.0.1, in a temporary folder, and waits until it answers.
 *
 * @throws Error with the end of its log where it doesn't start, or with what to install where there is none
 * @example const redis = await startRedis({ maxmemory: '2mb', maxmemoryPolicy: 'allkeys-lru' });
 */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const { port, requirepass } = options;
  return launchRedis({
    args: (actual, folder) => serverArguments(options, actual, folder),
    ...(port !== undefined && { port }),
    ...(requirepass !== undefined && { requirepass }),
  });
}

/** `startRedis` for any kind of process that redis-server can be: a node of a cluster, a sentinel. */
export async function launchRedis(launch: Launch): Promise<RedisServer> {
  const { server: program } = await findRedisServer();
  let cause: unknown;
  // Between the look for a free port and its use, another process may take it.
  for (let tries = 0; tries < START_TRIES; tries++) {
    const folder = await mkdtemp(join(tmpdir(), 'nestjs-caching-redis-'));
    const port = launch.port ?? (await freePort());
    if (launch.configuration !== undefined) await writeFile(join(folder, 'redis.conf'), launch.configuration);
    const server = new RedisServer(program, folder, port, launch.args(port, folder), launch.requirepass);
    try {
      await server.restart();
      return server;
    } catch (error) {
      cause = error;
      await server.close();
      if (launch.port !== undefined) break;
    }
  }
  throw cause;
}

/** Arguments of an ordinary server or of a cluster's node. */
export function serverArguments(options: RedisOptions, port: number, folder: string): string[] {
  const { appendonly = false, maxmemory, maxmemoryPolicy, requirepass, args = [] } = options;
  const flags: Record<string, string | undefined> = {
    port: String(port),
    bind: '127.0.0.1',
    dir: folder,
    logfile: 'redis.log',
    daemonize: 'no',
    save: '',
    appendonly: appendonly ? 'yes' : 'no',
    maxmemory,
    'maxmemory-policy': maxmemoryPolicy,
    requirepass,
    masterauth: requirepass,
    'enable-debug-command': 'yes',
    'repl-diskless-sync-delay': '0',
  };
  const given = Object.entries(flags).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, value],
  );
  return [...given, ...args];
}
