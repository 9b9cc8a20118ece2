import { Controller, Get, Param } from '@nestjs/common';
import { type CacheEvent, CacheView } from 'nestjs-caching';
import { afterEach, describe, expect, it } from 'vitest';
import { type RunningApplication, startApplication } from '../support/application.js';
import { eventually } from '../support/gate.js';
import { ManualTier } from '../support/manual-tier.js';
import { startOnRedis, verdictComes } from '../support/redis/applications.js';
import { poll } from '../support/redis/poll.js';
import { startRedis } from '../support/redis/redis-server.js';

@Controller('books')
class BooksController {
  @Get(':name')
  @CacheView({ ttl: '1h', tags: ['books'] })
  one(@Param('name') name: string) {
    return { name };
  }
}

const controllers = [BooksController];
const HEARTBEAT = 500;

let running: RunningApplication;

afterEach(() => running.close());

function told<T extends CacheEvent['type']>(type: T): Extract<CacheEvent, { type: T }>[] {
  return running.events.filter((event) => event.type === type) as Extract<CacheEvent, { type: T }>[];
}

describe('memory tells', () => {
  it('of entries that it had no room for, but not of those that were over or evicted', async () => {
    running = await startApplication('fastify', { controllers, caching: { memory: { maxEntries: 2 } } });
    for (const name of ['a', 'b', 'c']) await running.request(`/books/${name}`);
    expect(told('evicted')).toStrictEqual([
      {
        type: 'evicted',
        at: running.clock.now(),
        cause: 'capacity',
        bytes: JSON.stringify({ name: 'a' }).length,
      },
    ]);
    running.events.length = 0;
    running.clock.advance(3_600_000);
    for (const name of ['d', 'e']) await running.request(`/books/${name}`);
    expect(told('evicted')).toEqual([]);
  });
});

describe('a shared tier tells', () => {
  let tier: ManualTier;

  const start = async () => {
    tier = new ManualTier();
    running = await startApplication('fastify', {
      controllers,
      caching: { store: tier, cacheManager: false },
    });
    tier.host.onHearing(true);
    await eventually(() => told('coherence').some(({ change }) => change === 'synchronized'), 'a sync');
    running.events.length = 0;
  };
  const beat = async () => {
    const syncs = told('coherence').length;
    running.clock.advance(HEARTBEAT);
    await eventually(() => told('coherence').length > syncs, 'the heartbeat');
  };

  it('with each heartbeat for how long an eviction could have gone unnoticed, and how many did', async () => {
    await start();
    await beat();
    expect(told('coherence')).toStrictEqual([
      {
        type: 'coherence',
        at: running.clock.now(),
        change: 'synchronized',
        lagMs: HEARTBEAT,
        missed: 0,
      },
    ]);
    tier.evictUnheard('t:books');
    tier.evictUnheard('t:other');
    await beat();
    expect(told('coherence').at(-1)).toMatchObject({ change: 'synchronized', missed: 2 });
  });

  it('that a message was missed, and whether it hears of evictions at all', async () => {
    await start();
    tier.evictUnheard('t:lost');
    tier.host.onEviction(tier.evictUnheard('t:books'), ['t:books']);
    await eventually(() => told('coherence').length === 2, 'a gap and a sync');
    expect(told('coherence')).toMatchObject([{ change: 'gap' }, { change: 'synchronized', missed: 2 }]);
    running.events.length = 0;
    tier.host.onHearing(false);
    tier.host.onHearing(false);
    tier.host.onHearing(true);
    expect(told('coherence').map(({ change }) => change)).toEqual(['deaf', 'hears']);
  });

  it('how many of its breakers are open', async () => {
    await start();
    tier.host.onBreaker?.('open');
    tier.host.onBreaker?.('open');
    tier.host.onBreaker?.('closed');
    expect(told('breaker').map(({ store, state, open }) => [store, state, open])).toEqual([
      ['manual', 'open', 1],
      ['manual', 'open', 2],
      ['manual', 'closed', 1],
    ]);
  });

  it('whether a hit came from it or from this process', async () => {
    await start();
    await running.request('/books/emma');
    await eventually(() => tier.frames.size === 1, 'it is stored');
    const { frames, at } = tier;
    await running.close();
    tier = new ManualTier();
    Object.assign(tier, { frames, at });
    running = await startApplication('fastify', {
      controllers,
      caching: { store: tier, cacheManager: false },
    });
    tier.host.onHearing(true);
    await eventually(() => told('coherence').some(({ change }) => change === 'synchronized'), 'a sync');
    for (let time = 0; time < 2; time++) await running.request('/books/emma');
    expect(told('hit').map((event) => event.tier)).toEqual(['shared', 'local']);
    expect(told('lookup').map((event) => event.tier)).toEqual(['shared', 'local']);
  });
});

describe('Redis tells', () => {
  it('when its breaker opens and closes, also where it is away from the start', async () => {
    await using server = await startRedis();
    running = await startOnRedis('fastify', server.url, { controllers });
    await server.kill();
    await poll('the breaker opens', async () => told('breaker').at(-1)?.state === 'open' || undefined);
    await server.restart();
    await verdictComes(running, '/books/emma', 'HIT');
    await poll('the breaker closes', async () => told('breaker').at(-1)?.state === 'closed' || undefined);
    expect(told('breaker').map(({ store, open }) => [store, open])).toEqual([
      ['redis', 1],
      ['redis', 0],
    ]);
    await running.close();
    await server.kill();
    running = await startOnRedis('fastify', server.url, { controllers, connected: false });
    await server.restart();
    await verdictComes(running, '/books/emma', 'HIT');
    // It may have opened before anybody could listen.
    expect(told('breaker').at(-1)).toMatchObject({ state: 'closed', open: 0 });
  });

  it('what a handler took in another process, of a hit that came from there', async () => {
    await using server = await startRedis();
    running = await startOnRedis('fastify', server.url, { controllers });
    await verdictComes(running, '/books/emma', 'HIT');
    const { handlerMs } = told('stored')[0] ?? { handlerMs: -1 };
    expect(handlerMs).toBeGreaterThan(0);
    await running.close();
    running = await startOnRedis('fastify', server.url, { controllers });
    expect((await running.request('/books/emma')).verdict).toBe('HIT');
    expect(told('hit')).toMatchObject([{ tier: 'shared', savedMs: handlerMs }]);
  });
});
