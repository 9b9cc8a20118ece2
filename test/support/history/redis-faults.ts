import type { FaultProxy } from '../redis/fault-proxy.js';
import type { RedisServer } from '../redis/redis-server.js';
import type { ObservedTier } from './observed-tier.js';

/** What a fault may get at: the server, and one instance of those before it. */
export interface FaultTarget {
  readonly redis: RedisServer;
  readonly proxy: FaultProxy;
  readonly tier: ObservedTier;
  readonly restart: () => Promise<void>;
}

/** Begins, and returns what ends it. */
type RedisFault = (target: FaultTarget, milliseconds: number) => Promise<() => unknown>;

const DONE = () => undefined;
const NAMESPACE = 'history';

/** Faults of the server, seen by every instance. */
const SERVER_FAULTS = {
  'killed, and started again from its append-only file': async ({ redis }) => {
    await redis.kill();
    return () => redis.restart();
  },
  stopped: async ({ redis }) => {
    redis.stop();
    return () => redis.resume();
  },
  paused: async ({ redis }, milliseconds) => {
    await redis.command('CLIENT', 'PAUSE', String(milliseconds), 'ALL');
    return DONE;
  },
  'subscriptions killed': async ({ redis }) => {
    await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    return DONE;
  },
  'connections killed': async ({ redis }) => {
    await redis.command('CLIENT', 'KILL', 'TYPE', 'normal');
    return DONE;
  },
  'everything lost': async ({ redis }) => {
    await redis.command('FLUSHALL');
    return DONE;
  },
  'stamps lost': async ({ redis }) => {
    await redis.command('DEL', `{${NAMESPACE}}:stamps`);
    return DONE;
  },
  'position lost': async ({ redis }) => {
    await redis.command('DEL', `{${NAMESPACE}}:position`);
    return DONE;
  },
  'scripts lost': async ({ redis }) => {
    await redis.command('SCRIPT', 'FLUSH');
    return DONE;
  },
  'full, and refuses': async ({ redis }) => {
    await redis.command('CONFIG', 'SET', 'maxmemory', '1');
    return () => redis.command('CONFIG', 'SET', 'maxmemory', '0');
  },
  'full, and drops any key': async ({ redis }) => {
    await redis.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru', 'maxmemory', '1');
    return () => redis.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction', 'maxmemory', '0');
  },
} satisfies Record<string, RedisFault>;

function ofProxy(begin: (proxy: FaultProxy) => unknown): RedisFault {
  return async ({ proxy }) => {
    await begin(proxy);
    return () => proxy.pass();
  };
}

/** Faults between one instance and the server. */
const INSTANCE_FAULTS = {
  'connections hold': ofProxy((proxy) => proxy.hold()),
  'answers come within the timeout': ofProxy((proxy) => proxy.delay(25)),
  'answers come after the timeout': ofProxy((proxy) => proxy.delay(150)),
  'connections break within a reply': ofProxy((proxy) => proxy.cut(40)),
  'connections are refused': ofProxy((proxy) => proxy.refuse()),
  'replies are garbage': ofProxy((proxy) => proxy.garbage()),
  'writes are refused': ofProxy((proxy) =>
    proxy.answer(['EVALSHA', 'EVAL', 'SET'], "READONLY You can't write against a read only replica."),
  ),
  'all is refused': ofProxy((proxy) => proxy.answer('all', 'LOADING Redis is loading the dataset in memory')),
  'messages are lost': async ({ tier }) => {
    tier.messages = 'are lost';
    return () => (tier.messages = 'arrive');
  },
  'messages are late': async ({ tier }) => {
    tier.messages = 'are late';
    return () => (tier.messages = 'arrive');
  },
  restarted: async ({ restart }) => {
    await restart();
    return DONE;
  },
} satisfies Record<string, RedisFault>;

export const REDIS_FAULTS: Record<string, RedisFault> = { ...SERVER_FAULTS, ...INSTANCE_FAULTS };
