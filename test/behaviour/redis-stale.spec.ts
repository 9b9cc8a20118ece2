import { Controller, Get, HttpException } from '@nestjs/common';
import { CacheEvictionService, type CachingModuleOptions, CacheView } from 'nestjs-caching';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication } from '../support/application.js';
import { burst } from '../support/burst.js';
import { eventually, Gate } from '../support/gate.js';
import { countOf, startOnRedis, store, verdictComes } from '../support/redis/applications.js';
import { poll } from '../support/redis/poll.js';
import { type RedisServer, startRedis } from '../support/redis/redis-server.js';

/** What the handlers of all instances answer from. */
class World {
  runs = 0;
  fails = false;
  gate: Gate | undefined;

  async answer(): Promise<{ run: number }> {
    const run = ++this.runs;
    await this.gate?.pass();
    if (this.fails) throw new HttpException('out of order', 503);
    return { run };
  }
}

let world = new World();

@Controller('views')
@CacheView({ ttl: '300ms', tags: ['views'] })
class ViewsController {
  @Get('renewed') @CacheView({ staleWhileRevalidate: '1h', coalesce: 'cluster' }) renewed() {
    return world.answer();
  }

  @Get('lasting')
  @CacheView({ ttl: '1h', staleWhileRevalidate: '1h', tags: ['lasting'] })
  lasting() {
    return world.answer();
  }

  @Get('ahead')
  @CacheView({ ttl: '1h', refreshAhead: 0.000_3, coalesce: 'cluster', tags: ['ahead'] })
  ahead() {
    return world.answer();
  }

  @Get('rescued') @CacheView({ staleIfError: '1h' }) rescued() {
    return world.answer();
  }
}

describe.each(PLATFORMS)('stale responses in Redis on %s', (platform) => {
  let server: RedisServer;
  const running: RunningApplication[] = [];

  const start = async (caching: CachingModuleOptions = {}): Promise<RunningApplication> => {
    const started = await startOnRedis(platform, server.url, { controllers: [ViewsController], caching });
    running.push(started);
    return started;
  };
  const get = (app: RunningApplication, target: string) => app.request(target);
  const refreshes = (app: RunningApplication, outcome: string): number =>
    app.events.filter((event) => event.type === 'refresh' && event.outcome === outcome).length;

  beforeAll(async () => {
    server = await startRedis();
  });
  beforeEach(async () => {
    world = new World();
    await server.command('FLUSHALL');
  });
  afterEach(async () => {
    world.gate?.open();
    await Promise.all(running.splice(0).map((each) => each.close()));
  });
  afterAll(() => server.close());

  it('are served by an instance that has never seen them, and renewed by one of all', async () => {
    const a = await start();
    await store(a, '/views/renewed');
    await verdictComes(a, '/views/renewed', 'STALE');
    await eventually(() => refreshes(a, 'stored') === 1, 'a has renewed it');
    const [b, c] = [await start(), await start()];
    const before = world.runs;
    world.gate = new Gate();
    await verdictComes(b, '/views/renewed', 'STALE');
    await eventually(() => world.runs > before, 'one of them runs the handler');
    const replies = await Promise.all([
      burst(b.port, '/views/renewed', 100, 10),
      burst(c.port, '/views/renewed', 100, 10),
    ]);
    expect(new Set(replies.flat().map(({ status, verdict }) => `${status} ${verdict}`))).toEqual(
      new Set(['200 STALE']),
    );
    await eventually(() => refreshes(b, 'started') + refreshes(c, 'started') === 2, 'both want to renew it');
    world.gate.open();
    await eventually(() => refreshes(b, 'stored') + refreshes(c, 'stored') === 2, 'both have it renewed');
    expect(world.runs).toBe(before + 1);
  });

  it('are none where one of all instances renews ahead, and the others take what it has stored', async () => {
    const all = [await start(), await start(), await start()];
    const [a, b, c] = all as [RunningApplication, RunningApplication, RunningApplication];
    await store(a, '/views/ahead');
    world.gate = new Gate();
    for (const each of all) expect((await get(each, '/views/ahead')).text).toBe('{"run":1}');
    await poll('all to want to renew it', async () => {
      for (const each of all) expect((await get(each, '/views/ahead')).text).toBe('{"run":1}');
      return all.every((each) => refreshes(each, 'started') === 1) || undefined;
    });
    await eventually(() => world.runs === 2, 'one of them runs the handler');
    world.gate.open();
    await eventually(() => all.every((each) => refreshes(each, 'stored') === 1), 'all have it renewed');
    expect(world.runs).toBe(2);
    for (const each of all) expect((await get(each, '/views/ahead')).text).not.toBe('{"run":1}');
    // One after the other as well: who comes late finds that another has done it.
    const renews = async (each: RunningApplication): Promise<number> => {
      const before = refreshes(each, 'stored');
      await poll('it to be renewed', async () => {
        await get(each, '/views/ahead');
        return refreshes(each, 'stored') > before || undefined;
      });
      return world.runs;
    };
    const runs = await renews(c);
    expect(runs).toBeGreaterThan(2);
    expect([await renews(a), (await get(a, '/views/ahead')).text]).toEqual([runs, `{"run":${runs}}`]);
    expect([await renews(b), (await get(b, '/views/ahead')).text]).toEqual([runs, `{"run":${runs}}`]);
  });

  it('answer in place of errors in an instance that has only Redis, and end with an eviction elsewhere', async () => {
    const a = await start();
    const b = await start({ memory: false });
    await store(a, '/views/rescued');
    world.fails = true;
    await verdictComes(b, '/views/rescued', 'STALE');
    const stale = await get(b, '/views/rescued');
    expect([stale.status, stale.text]).toEqual([200, '{"run":1}']);
    await a.app.get(CacheEvictionService).byTag('views');
    expect((await get(b, '/views/rescued')).status).toBe(503);
  });

  it.each(['bus', 'strict'] as const)(
    'are not trusted while Redis is away, and are back with it (%s)',
    async (coherence) => {
      await using own = await startRedis();
      const a = await startOnRedis(platform, own.url, {
        controllers: [ViewsController],
        caching: { coherence, storeTimeout: '100ms' },
      });
      running.push(a);
      await store(a, '/views/rescued');
      world.fails = true;
      await verdictComes(a, '/views/rescued', 'STALE');
      own.stop();
      // What others evict meanwhile is not known: an error is better than what may be wrong.
      await poll('an error', async () => (await get(a, '/views/rescued')).status === 503 || undefined);
      expect(countOf(a, 'storeError')).toBeGreaterThan(0);
      own.resume();
      await verdictComes(a, '/views/rescued', 'STALE');
      expect((await get(a, '/views/rescued')).text).toBe('{"run":1}');
    },
  );

  it.each(['bus', 'strict'] as const)(
    'are what a soft eviction on another instance leaves (%s)',
    async (coherence) => {
      const [a, b, c] = [
        await start({ coherence }),
        await start({ coherence }),
        await start({ memory: false }),
      ];
      await store(a, '/views/lasting');
      await verdictComes(b, '/views/lasting', 'HIT');
      await verdictComes(c, '/views/lasting', 'HIT');
      world.gate = new Gate();
      await a.app.get(CacheEvictionService).byTag('lasting', { soft: true });
      for (const each of [a, b, c]) {
        await verdictComes(each, '/views/lasting', 'STALE');
        expect((await get(each, '/views/lasting')).text).toBe('{"run":1}');
      }
      world.gate.open();
      await verdictComes(c, '/views/lasting', 'HIT');
      expect((await get(c, '/views/lasting')).text).not.toBe('{"run":1}');
      await a.app.get(CacheEvictionService).byTag('lasting', { soft: true });
      await a.app.get(CacheEvictionService).byTag('lasting');
      expect((await get(c, '/views/lasting')).verdict).toBe('MISS');
    },
  );

  it('make room in process for what another instance has renewed', async () => {
    const [a, c] = [await start(), await start({ memory: false })];
    await store(a, '/views/lasting');
    await verdictComes(c, '/views/lasting', 'HIT');
    await a.app.get(CacheEvictionService).byTag('lasting', { soft: true });
    await verdictComes(c, '/views/lasting', 'STALE');
    await verdictComes(c, '/views/lasting', 'HIT');
    a.events.length = 0;
    const texts = [(await get(a, '/views/lasting')).text, (await get(a, '/views/lasting')).text];
    expect(texts).toEqual(['{"run":2}', '{"run":2}']);
    const tiers = a.events.flatMap((event) => (event.type === 'hit' ? [event.tier] : []));
    expect(tiers).toEqual(['shared', 'local']);
  });

  it('are kept in process where Redis has lost them alone', async () => {
    const a = await start();
    await store(a, '/views/rescued');
    world.fails = true;
    await verdictComes(a, '/views/rescued', 'STALE');
    const keys = (await server.command('KEYS', '*:view:*')) as string[];
    expect(keys.length).toBeGreaterThan(0);
    for (const key of keys) await server.command('DEL', key);
    expect((await get(a, '/views/rescued')).text).toBe('{"run":1}');
  });
});
