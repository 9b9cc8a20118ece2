import { Injectable } from '@nestjs/common';
import { CacheEvictionService, Memoize, redis } from 'nestjs-caching';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { RunningApplication } from '../support/application.js';
import { countOf, startOnRedis } from '../support/redis/applications.js';
import { SINGLE_CLIENTS } from '../support/redis/clients.js';
import { poll } from '../support/redis/poll.js';
import { type RedisServer, startRedis } from '../support/redis/redis-server.js';

const VALUE = {
  at: new Date(5),
  map: new Map([['a', new Set([1n])]]),
  bytes: Buffer.from('x'),
  none: undefined,
};
let runs = 0;

@Injectable()
class Service {
  @Memoize({ tags: (id: string) => [`id:${id}`] })
  async one(_id: string): Promise<typeof VALUE & { run: number }> {
    return { ...VALUE, run: ++runs };
  }

  @Memoize({ freeze: true })
  async frozen(): Promise<{ list: number[] }> {
    runs++;
    return { list: [1] };
  }

  @Memoize({ coalesce: 'cluster' })
  async slow(): Promise<number> {
    runs++;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return runs;
  }
}

describe.each(SINGLE_CLIENTS)('memoized results in Redis by $name', ({ open }) => {
  let server: RedisServer;
  const closing: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    server = await startRedis();
  });
  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close();
    await server.command('FLUSHALL');
    runs = 0;
  });
  afterAll(() => server.close());

  const start = async (memory?: false) => {
    const client = await open(server.url);
    closing.push(() => client.close());
    await client.connected;
    const app: RunningApplication = await startOnRedis('fastify', server.url, {
      providers: [Service],
      caching: { store: redis({ client: client.client as never }), ...(memory === false && { memory }) },
    });
    closing.push(() => app.close());
    return { ...app, service: app.app.get(Service), evictions: app.app.get(CacheEvictionService) };
  };

  it('are as they were in every instance, from Redis and from memory, and evicted in all', async () => {
    const one = await start();
    const other = await start();
    const first = await one.service.one('a');
    await poll('it is stored', async () => countOf(one, 'stored') > 0 || undefined);
    expect(await other.service.one('a')).toStrictEqual({ ...VALUE, run: 1 });
    const again = await other.service.one('a');
    expect(again).toStrictEqual(first);
    again.map.clear();
    expect(await other.service.one('a')).toStrictEqual(first);
    expect(runs).toBe(1);

    await other.evictions.byMemoized(Service, 'one', ['a']);
    await poll('the first has heard of it', async () => (await one.service.one('a')).run > 1 || undefined);
    const { run } = await other.service.one('a');
    await one.evictions.byTag('id:a');
    await poll(
      'the other has heard of it',
      async () => (await other.service.one('a')).run > run || undefined,
    );
  });

  it('come from Redis alone where nothing is kept in process, frozen ones frozen', async () => {
    const { service, ...app } = await start(false);
    await service.one('a');
    await service.frozen();
    await poll('both are stored', async () => countOf(app, 'stored') > 1 || undefined);
    expect((await service.one('a')).run).toBe(1);
    expect(Object.isFrozen((await service.frozen()).list)).toBe(true);
    expect(runs).toBe(2);
  });

  it('are computed once in the whole cluster where that is asked for', async () => {
    const one = await start();
    const other = await start();
    const results = await Promise.all([one, other, one, other].map(({ service }) => service.slow()));
    expect(results).toEqual([1, 1, 1, 1]);
  });
});
