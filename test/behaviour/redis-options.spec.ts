import { Controller, Get } from '@nestjs/common';
import { redisInsStore } from 'cache-manager-redis-yet';
import { CacheView, CachingConfigError, type CachingModuleOptions, memory, redis } from 'nestjs-caching';
import { createClient as createClient4 } from 'redis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type RunningApplication, startApplication } from '../support/application.js';
import { startOnRedis, verdictComes } from '../support/redis/applications.js';
import { SINGLE_CLIENTS } from '../support/redis/clients.js';
import { poll } from '../support/redis/poll.js';
import { type RedisServer, startRedis } from '../support/redis/redis-server.js';

@Controller('shop')
class ShopController {
  @Get() @CacheView() list() {
    return [];
  }
}

const NOWHERE = 'redis://127.0.0.1:2';

describe('options for a shared store', () => {
  const start = (caching: CachingModuleOptions) =>
    startApplication('fastify', { realTime: true, controllers: [ShopController], caching });
  const wrong = (options: object) => options as CachingModuleOptions;
  const problem = async (caching: () => CachingModuleOptions): Promise<unknown> => {
    try {
      await (await start(caching())).close();
      return 'none';
    } catch (error) {
      return error instanceof CachingConfigError ? error.field : error;
    }
  };

  it.each<[string, CachingModuleOptions]>([
    ['coherence', wrong({ coherence: 'eventual' })],
    ['coherence', wrong({ coherence: true })],
    ['heartbeat', { heartbeat: 0 }],
    ['heartbeat', wrong({ heartbeat: '500' })],
    ['heartbeat', wrong({ heartbeat: null })],
    ['onStoreFailure', wrong({ onStoreFailure: 'ignore' })],
    ['coalesce', wrong({ coalesce: 'everywhere' })],
    ['coalesceTimeout', { coalesceTimeout: -1 }],
    ['memory', { memory: false }],
    ['memory', { memory: false, store: memory() }],
    ['memory', wrong({ memory: true, store: redis({ url: NOWHERE }) })],
    ['memory.maxBytes', { memory: { maxBytes: 0 }, store: redis({ url: NOWHERE }) }],
    ['store', wrong({ store: { open: 1, sync: 2 } })],
    ['store', wrong({ store: 'redis://127.0.0.1' })],
  ])('refuse a wrong %s by name, as in %o', async (field, caching) => {
    expect(await problem(() => caching)).toBe(field);
  });

  it("refuse a route's wrong coalesce by its name", async () => {
    @Controller('wrong')
    class WrongController {
      @Get() @CacheView({ coalesce: 'nowhere' as 'cluster' }) list() {
        return [];
      }
    }
    const starting = startApplication('fastify', { controllers: [WrongController] });
    await expect(starting).rejects.toThrow(
      /WrongController.*"coalesce" is "nowhere"; allowed: 'instance' or 'cluster'/,
    );
  });

  it.each([
    ['url', { url: 'http://127.0.0.1' }],
    ['url', { url: '' }],
    ['options', {}],
    ['options', { url: NOWHERE, client: {} }],
    ['options', 'redis://127.0.0.1'],
    ['client', { client: {} }],
    ['client', { client: { client: 5 } }],
    ['waitForReplicas', { url: NOWHERE, waitForReplicas: 0.5 }],
    ['urls', { urls: [NOWHERE] }],
  ])('refuse a wrong %s of redis() by name: %j', async (field, options) => {
    expect(await problem(() => ({ store: redis(options as never) }))).toBe(field);
  });

  it.each([
    [
      { host: '127.0.0.1', port: 6379 },
      'redis(): option "host" is unknown (did you mean "url"?); allowed: one of',
    ],
    [
      { url: NOWHERE, password: 'hidden' },
      'redis(): option "password" is unknown (did you mean "clientOptions.password"?)',
    ],
  ])('say what other clients’ options are called in redis(): %j', (options, told) => {
    expect(() => redis(options as never)).toThrow(told);
  });

  it('accept bounds of the memory in front of a shared store', async () => {
    for (const bounds of [{ maxEntries: 10 }, { maxBytes: 1_000 }, {}, false] as const)
      expect(await problem(() => ({ memory: bounds, store: redis({ url: NOWHERE }) }))).toBe('none');
  });

  it('refuse one redis() for two applications', async () => {
    const store = redis({ url: NOWHERE });
    const first = await start({ store });
    expect(await problem(() => ({ store }))).toBe('store');
    await first.close();
  });
});

describe.each(SINGLE_CLIENTS)('a client of $name that was given', ({ open }) => {
  let server: RedisServer;
  const running: RunningApplication[] = [];

  /** Connections that are open, but the one that asks. */
  const connections = async () =>
    String(await server.command('CLIENT', 'LIST'))
      .split('\n')
      .filter((line) => line.startsWith('id=') && !line.includes('cmd=client'))
      .map((line) => / name=(\S*)/.exec(line)?.[1]);

  beforeAll(async () => {
    server = await startRedis();
  });
  afterEach(() => Promise.all(running.splice(0).map((each) => each.close())));
  afterAll(() => server.close());

  it('is untouched by the application and open after it, and nothing else is', async () => {
    const given = await open(server.url);
    await given.connected;
    await given.client.set('theirs', 'kept');
    const before = await connections();
    expect(before).toHaveLength(1);
    const app = await startOnRedis('fastify', server.url, {
      controllers: [ShopController],
      caching: { store: redis({ client: given.client as never }) },
    });
    running.push(app);
    await verdictComes(app, '/shop', 'HIT');
    // One for commands and one that hears evictions.
    expect(await connections()).toHaveLength(3);

    await running.pop()?.close();
    await poll('our connections are gone', async () => (await connections()).length === 1 || undefined);
    expect(given.client.isOpen).toBe(true);
    expect(await given.client.get('theirs')).toBe('kept');
    await given.close();
  });
});

describe('a client that was never connected', () => {
  it('stays so, and the store of cache-manager-redis-yet around it works', async () => {
    await using server = await startRedis();
    const client = createClient4({ url: server.url });
    const store = redisInsStore(client as unknown as Parameters<typeof redisInsStore>[0]);
    const caching = { store: redis({ client: store }) };
    const app = await startOnRedis('express', server.url, { controllers: [ShopController], caching });
    await verdictComes(app, '/shop', 'HIT');
    expect([client.isOpen, client.listenerCount('error')]).toEqual([false, 1]);
    await app.close();
    expect(client.isOpen).toBe(false);
  });
});
