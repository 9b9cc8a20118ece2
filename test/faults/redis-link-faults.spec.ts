import { setTimeout as delay } from 'node:timers/promises';
import { createClient as createClient5 } from '@redis/client';
import { redisInsStore } from 'cache-manager-redis-yet';
import { createClient as createClient4 } from 'redis';
import { createClient as createClient6 } from 'redis-6';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../libs/caching/src/cache/clock.js';
import {
  createRedisLink,
  type RedisConnection,
} from '../../libs/caching/src/stores/redis/create-redis-link.js';
import type { RedisLink } from '../../libs/caching/src/stores/redis/redis-link.js';
import { type FaultProxy, startFaultProxy } from '../support/redis/fault-proxy.js';
import { poll } from '../support/redis/poll.js';
import { type RedisServer, startRedis } from '../support/redis/redis-server.js';
import { RedisLinkLoad } from '../support/redis-link-load.js';

const TIMEOUT_MS = 100;
// A command has 20 ms more than its deadline; the rest is for a machine that does something else meanwhile.
const SLOWEST_MS = TIMEOUT_MS + 20 + 80;
const RECOVERY_MS = 1_500;

const CLIENTS: readonly (readonly [string, (url: string) => RedisConnection])[] = [
  ['redisInsStore', (url) => ({ client: redisInsStore(createClient4({ url }) as never) })],
  ['node-redis 5', (url) => ({ client: createClient5({ url }) })],
  ['node-redis 6', (url) => ({ client: createClient6({ url }) })],
];

interface Fault {
  readonly name: string;
  readonly begin: (redis: RedisServer, proxy: FaultProxy) => unknown;
  readonly end: (redis: RedisServer, proxy: FaultProxy) => unknown;
}

const SILENT: readonly Fault[] = [
  {
    name: 'is stopped and goes on',
    begin: (redis) => redis.stop(),
    end: (redis) => redis.resume(),
  },
  {
    name: 'is behind a connection that holds everything back',
    begin: (_redis, proxy) => proxy.hold(),
    end: (_redis, proxy) => proxy.pass(),
  },
  {
    name: 'answers 800 ms late',
    begin: (_redis, proxy) => proxy.delay(800),
    end: (_redis, proxy) => proxy.pass(),
  },
];

const CUT_OFF: readonly Fault[] = [
  { name: 'is killed and restarted', begin: (redis) => redis.kill(), end: (redis) => redis.restart() },
  {
    name: 'is cut off in the middle of replies',
    begin: (_redis, proxy) => proxy.cut(5_000),
    end: (_redis, proxy) => proxy.pass(),
  },
  {
    name: 'answers with garbage',
    begin: (_redis, proxy) => proxy.garbage(),
    end: (_redis, proxy) => proxy.pass(),
  },
];

describe('the link to a Redis that fails', () => {
  let redis: RedisServer;
  let proxy: FaultProxy;
  let link: RedisLink;
  let readies: number;

  beforeEach(async () => {
    redis = await startRedis();
    proxy = await startFaultProxy(redis);
  });

  afterEach(async () => {
    await link.close();
    await proxy.close();
    await redis.close();
  });

  async function open(connection: RedisConnection): Promise<void> {
    link = createRedisLink(connection, {
      clock: systemClock,
      timeout: TIMEOUT_MS,
      onError: () => undefined,
    });
    readies = 0;
    link.onReady(() => readies++);
    link.open();
    await poll('the link to be ready', async () => readies > 0 || undefined, 5_000, 5);
  }

  describe.each(CLIENTS)('by %s', (_name, connectionTo) => {
    it.each([...SILENT, ...CUT_OFF])(
      'fails in time, never returns other bytes, and is back within 1.5 s when Redis $name',
      async ({ begin, end }) => {
        await open(connectionTo(proxy.url));
        const load = await RedisLinkLoad.start(link);
        await begin(redis, proxy);
        await delay(600);
        await end(redis, proxy);
        expect(await load.recovered(5_000)).toBeLessThan(RECOVERY_MS);
        await load.stop();
        expect(load.failures.length).toBeGreaterThan(0);
        expect(load.slowest).toBeLessThan(SLOWEST_MS);
        expect(load.wrong).toBe(0);
      },
    );

    it('knows that it hears nothing, and when it does again', async () => {
      await open(connectionTo(proxy.url));
      const hearing: boolean[] = [];
      const heard: string[] = [];
      link.subscribe(
        'news',
        (message) => heard.push(message),
        (hears) => hearing.push(hears),
      );
      await poll('the subscription', async () => hearing.at(-1) === true || undefined);
      redis.stop();
      await poll('it to notice', async () => hearing.at(-1) === false || undefined, 1_500);
      redis.resume();
      await poll('it to hear again', async () => hearing.at(-1) === true || undefined, RECOVERY_MS);
      await redis.kill();
      await poll('it to notice', async () => hearing.at(-1) === false || undefined, 1_500);
      await redis.restart();
      await poll('it to hear again', async () => hearing.at(-1) === true || undefined, RECOVERY_MS);
      await redis.command('PUBLISH', 'news', 'again');
      await poll('the message', async () => heard[0]);
      expect(heard).toEqual(['again']);
    });
  });
});
