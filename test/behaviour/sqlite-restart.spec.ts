import { Controller, Get, Param } from '@nestjs/common';
import { CACHE_MANAGER } from '@nestjs/cache-manager';
import type { Cache } from 'cache-manager';
import {
  CacheEvictionService,
  CacheInspector,
  CacheView,
  type CachingModuleOptions,
  storeFromUrl,
} from 'nestjs-caching';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { burst } from '../support/burst.js';
import { poll } from '../support/redis/poll.js';
import { countOf, store, verdictComes } from '../support/redis/applications.js';
import { SqliteStorage } from '../support/sqlite/storage.js';

let runs = 0;

@Controller('books')
class BooksController {
  @Get(':name')
  @CacheView({ tags: ({ params }) => [`book:${params['name']}`], coalesce: 'cluster' })
  async one(@Param('name') name: string) {
    runs += 1;
    await new Promise((resolve) => setTimeout(resolve, 20));
    return { name, run: runs };
  }
}

describe.each(PLATFORMS)('a cache in a file on %s', (platform) => {
  let storage: SqliteStorage;
  const running: RunningApplication[] = [];

  beforeEach(() => {
    storage = new SqliteStorage();
    runs = 0;
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((each) => each.close()));
    await storage.close();
  });

  async function start(caching: CachingModuleOptions = {}): Promise<RunningApplication> {
    const started = await startApplication(platform, {
      realTime: true,
      controllers: [BooksController],
      caching: { store: storeFromUrl(`sqlite://${storage.file}`), storeTimeout: '2s', ...caching },
    });
    running.push(started);
    return started;
  }

  async function stop(one: RunningApplication): Promise<void> {
    running.splice(running.indexOf(one), 1);
    await one.close();
  }

  it('answers the first request after a restart with a HIT, byte for byte', async () => {
    const before = await start();
    await store(before, '/books/ulysses');
    const known = await before.request('/books/ulysses');
    await stop(before);
    const after = await start();
    const first = await after.request('/books/ulysses');
    expect(first.verdict).toBe('HIT');
    expect(first.body.equals(known.body)).toBe(true);
    expect(runs).toBe(1);
  });

  it('knows after a restart what was evicted before it', async () => {
    const before = await start();
    await store(before, '/books/ulysses');
    await store(before, '/books/emma');
    await before.app.get(CacheEvictionService).byTag('book:emma');
    await stop(before);
    const after = await start();
    expect((await after.request('/books/ulysses')).verdict).toBe('HIT');
    expect((await after.request('/books/emma')).verdict).toBe('MISS');
  });

  it('takes its first look at the evictions of others for no eviction', async () => {
    const first = await start();
    await store(first, '/books/ulysses');
    await stop(first);
    const after = await start();
    expect((await after.request('/books/ulysses')).verdict).toBe('HIT');
    const inspector = after.app.get(CacheInspector);
    expect(await inspector.explain({ url: '/books/emma' })).toMatchObject({ reason: 'never-filled' });
    expect(inspector.evictions()).toEqual([]);
  });

  it('is shared by two applications at once: entries, evictions, values and handler runs', async () => {
    const [one, two] = [await start(), await start()];
    await store(one, '/books/ulysses');
    expect((await two.request('/books/ulysses')).verdict).toBe('HIT');
    const receipt = await one.app.get(CacheEvictionService).byTag('book:ulysses');
    expect(receipt.acknowledged).toBe(true);
    await verdictComes(two, '/books/ulysses', 'MISS');
    await one.app.get<Cache>(CACHE_MANAGER).set('greeting', { text: 'hello' });
    expect(await two.app.get<Cache>(CACHE_MANAGER).get('greeting')).toEqual({ text: 'hello' });
    runs = 0;
    const bodies = await Promise.all([one, two].flatMap((each) => burst(each.port, '/books/emma', 50, 10)));
    expect(bodies.flat()).toHaveLength(100);
    expect(runs).toBe(1);
  });

  it('serves nobody anything older than an eviction elsewhere in strict coherence', async () => {
    const [one, two] = [await start({ coherence: 'strict' }), await start({ coherence: 'strict' })];
    for (let round = 0; round < 10; round++) {
      const stored = countOf(two, 'stored');
      await two.request('/books/ulysses');
      await poll('it to be stored', async () => countOf(two, 'stored') > stored || undefined);
      expect((await two.request('/books/ulysses')).verdict).toBe('HIT');
      await one.app.get(CacheEvictionService).byTag('book:ulysses');
      expect((await two.request('/books/ulysses')).verdict).toBe('MISS');
      await poll('it to be stored again', async () => countOf(two, 'stored') > stored + 1 || undefined);
      await one.app.get(CacheEvictionService).byTag('book:ulysses');
    }
  });
});
