import { setTimeout as delay } from 'node:timers/promises';
import { type FaultProxy, startFaultProxy } from '../redis/fault-proxy.js';
import { poll } from '../redis/poll.js';
import { redisCommand } from '../redis/redis-command.js';
import { type RedisOptions, type RedisServer, startRedis } from '../redis/redis-server.js';
import { Filler } from './filler.js';
import { type Fault, singleClient } from './stage.js';

/** Where a fault happens: `a` reaches the server through the proxy, `b` at once. */
interface Scene {
  readonly redis: RedisServer;
  readonly proxy: FaultProxy;
  readonly namespace: string;
  readonly milliseconds: number;
}

/** Begins, and returns what ends it. */
type Begin = (scene: Scene) => Promise<() => unknown>;

interface Details {
  readonly atStart?: boolean;
  readonly endsByItself?: boolean;
  readonly redis?: RedisOptions;
  readonly prepare?: (redis: RedisServer) => Promise<unknown>;
}

/** Bytes that Redis may use beyond what it uses when it becomes too small. */
const LITTLE_MEMORY = 1_000_000;

/** Keys that take two seconds and more to be read, at half a millisecond each. */
const SLOW_KEYS = 5_000;
const SLOWLY = ['--key-load-delay', '500', '--loading-process-events-interval-bytes', '1024'];

function fault(name: string, begin: Begin, details: Details = {}): Fault {
  const { atStart = false, endsByItself = false, redis: options, prepare } = details;
  return {
    name,
    topology: 'one server',
    atStart,
    endsByItself,
    stage: async (namespace) => {
      const redis = await startRedis(options);
      const proxy = await startFaultProxy(redis);
      await prepare?.(redis);
      let end: () => unknown = () => undefined;
      return {
        open: (major, instance) => singleClient(major, instance === 'a' ? proxy.url : redis.url),
        begin: async (milliseconds) => {
          end = await begin({ redis, proxy, namespace, milliseconds });
        },
        end: async () => {
          await end();
        },
        close: async () => {
          await proxy.close();
          await redis.close();
        },
      };
    },
  };
}

function ofProxy(name: string, begin: (proxy: FaultProxy) => void): Fault {
  return fault(name, async ({ proxy }) => {
    begin(proxy);
    return () => proxy.pass();
  });
}

const killed: Begin = async ({ redis }) => {
  await redis.kill();
  return () => redis.restart();
};

const paused: Begin = async ({ redis, milliseconds }) => {
  await redis.command('CLIENT', 'PAUSE', String(milliseconds), 'ALL');
  const over = delay(milliseconds);
  return () => over;
};

async function refuses(redis: RedisServer, code: string, ...command: string[]): Promise<void> {
  const reply = await redis.command(...command).catch((error: unknown) => error);
  if (!String(reply).includes(code)) throw new Error(`${command[0]} was answered with ${String(reply)}`);
}

/** Redis is made too small for what another application goes on to store; resolves when that shows. */
async function fillUp(
  redis: RedisServer,
  policy: string,
  shows: () => Promise<boolean>,
): Promise<() => Promise<void>> {
  const used = Number(await redis.info('memory', 'used_memory'));
  // Of one sample only: any key may go, also one that is asked for often.
  await redis.command('CONFIG', 'SET', 'maxmemory-policy', policy, 'maxmemory-samples', '1');
  await redis.command('CONFIG', 'SET', 'maxmemory', String(used + LITTLE_MEMORY));
  const filler = await Filler.start(redis.url);
  const end = async () => {
    await redis.command('CONFIG', 'SET', 'maxmemory', '0');
    await filler.stop();
  };
  try {
    await poll('Redis to be full', async () => (await shows()) || undefined, 10_000, 2);
    return end;
  } catch (error) {
    await end();
    throw error;
  }
}

const full: Begin = ({ redis }) =>
  fillUp(redis, 'noeviction', async () => {
    const reply = await redis.command('SET', 'another', 'value').catch((error: unknown) => error);
    return String(reply).includes('OOM');
  });

const evicting: Begin = ({ redis, namespace }) =>
  fillUp(redis, 'allkeys-lru', async () => (await redis.command('EXISTS', `{${namespace}}:stamps`)) === 0);

const readOnly: Begin = async ({ redis }) => {
  // Nobody listens there, so it stays a replica that waits for its primary.
  await redis.command('REPLICAOF', '127.0.0.1', '1');
  await refuses(redis, 'READONLY', 'SET', 'another', 'value');
  return () => redis.command('REPLICAOF', 'NO', 'ONE');
};

const locked: Begin = async ({ redis }) => {
  await redis.command('CONFIG', 'SET', 'requirepass', 'changed');
  const admin = (...command: string[]) => redisCommand(`redis://:changed@127.0.0.1:${redis.port}`, command);
  // Connections from before it would go on.
  await admin('CLIENT', 'KILL', 'TYPE', 'normal');
  await admin('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await refuses(redis, 'NOAUTH', 'GET', 'another');
  return () => admin('CONFIG', 'SET', 'requirepass', '');
};

const loading: Begin = async ({ redis }) => {
  await redis.restart({ args: SLOWLY, until: 'listening' });
  await refuses(redis, 'LOADING', 'GET', 'another');
  return () =>
    poll('Redis to have loaded', async () => (await redis.command('PING')) === 'PONG' || undefined);
};

async function storeManyKeys(redis: RedisServer): Promise<void> {
  await redis.command('DEBUG', 'POPULATE', String(SLOW_KEYS));
  await redis.command('BGREWRITEAOF');
  const isRewritten = async () =>
    (await redis.info('persistence', 'aof_rewrite_in_progress')) === '0' || undefined;
  await poll('the append-only file', isRewritten);
}

export const NO_FAULT = fault('no fault', async () => () => undefined);

export const SINGLE_FAULTS: readonly Fault[] = [
  fault('down at start', killed, { atStart: true }),
  fault('killed and restarted', killed),
  fault('stopped', async ({ redis }) => {
    redis.stop();
    return () => redis.resume();
  }),
  ofProxy('TCP held', (proxy) => proxy.hold()),
  ofProxy('slow by 800 ms', (proxy) => proxy.delay(800)),
  fault('CLIENT PAUSE', paused, { endsByItself: true }),
  fault('OOM with noeviction', full),
  fault('allkeys-lru evicts the stamps', evicting),
  fault('READONLY', readOnly),
  fault('NOAUTH', locked),
  fault('LOADING', loading, {
    endsByItself: true,
    redis: { appendonly: true },
    prepare: storeManyKeys,
  }),
  ofProxy('reset in mid-reply', (proxy) => proxy.cut(5_000)),
  ofProxy('garbage reply', (proxy) => proxy.garbage()),
];
