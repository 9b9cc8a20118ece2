import { CacheEvictionService } from 'nestjs-caching';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS } from '../support/application.js';
import { type GatedApplication, startGated } from '../support/gated-application.js';

describe.each(PLATFORMS)('an eviction while a handler runs, on %s', (platform) => {
  let gated: GatedApplication;
  let evictions: CacheEvictionService;

  beforeEach(async () => {
    gated = await startGated(platform);
    evictions = gated.app.get(CacheEvictionService);
  });

  afterEach(() => gated.close());

  it('keeps what the handler makes out of the cache', async () => {
    const first = await gated.send('/gated');
    gated.world.version = 2;
    await evictions.byTag('data');
    gated.world.open(1);
    expect(await first.answer()).toEqual({ run: 1, version: 1 });
    expect((await first.response).cacheStatus).toBe('nestjs-caching; fwd=uri-miss; detail=evicted');
    expect(gated.events).toContainEqual(expect.objectContaining({ type: 'skipped', reason: 'evicted' }));
    expect(await gated.ask('/gated')).toEqual({ run: 2, version: 2 });
    expect(await gated.ask('/gated')).toEqual({ run: 2, version: 2 });
  });

  it.each<[string, (evictions: CacheEvictionService, gated: GatedApplication) => Promise<unknown>]>([
    ['byPath', (service) => service.byPath('/gated/one/7')],
    ['byPrefix', (service) => service.byPrefix('/gated/one')],
    ['all', (service) => service.all()],
  ])('wins by %s as well', async (_kind, evict) => {
    const first = await gated.send('/gated/one/7');
    const other = await gated.send('/gated');
    gated.world.version = 2;
    await evict(evictions, gated);
    gated.world.open(1, 2);
    await Promise.all([first.answer(), other.answer()]);
    expect(await gated.ask('/gated/one/7')).toEqual({ run: 3, version: 2 });
  });

  it('of something else lets the response be stored', async () => {
    const first = await gated.send('/gated');
    await evictions.byTag('other');
    await evictions.byPath('/gated/one/7');
    gated.world.open(1);
    await first.answer();
    expect(await gated.ask('/gated')).toEqual({ run: 1, version: 1 });
  });

  it('is not undone by requests that come after it: they never join the older run', async () => {
    const before = await gated.send('/gated');
    gated.world.version = 2;
    await evictions.byTag('data');
    const after = await gated.send('/gated');
    await gated.world.started(2);
    const joined = await gated.send('/gated');
    gated.world.open(2);
    expect(await after.answer()).toEqual({ run: 2, version: 2 });
    expect(await joined.answer()).toEqual({ run: 2, version: 2 });
    gated.world.open(1);
    expect(await before.answer()).toEqual({ run: 1, version: 1 });
    expect(await gated.ask('/gated')).toEqual({ run: 2, version: 2 });
  });

  it('gives those who waited before it what they waited for', async () => {
    const leader = await gated.send('/gated');
    const waiters = [await gated.send('/gated'), await gated.send('/gated')];
    await evictions.byTag('data');
    gated.world.open(1);
    for (const { answer } of [leader, ...waiters]) expect(await answer()).toEqual({ run: 1, version: 1 });
    expect(gated.world.runs).toBe(1);
  });

  it('does not part those who wait on both sides of an eviction of something else', async () => {
    const leader = await gated.send('/gated');
    await evictions.byTag('other');
    const waiter = await gated.send('/gated');
    gated.world.open(1);
    expect(await leader.answer()).toEqual({ run: 1, version: 1 });
    expect(await waiter.answer()).toEqual({ run: 1, version: 1 });
    expect(gated.world.runs).toBe(1);
  });

  it('by a tag that the handler adds on the way counts from the start of the handler', async () => {
    const leader = await gated.send('/gated/late');
    gated.world.version = 2;
    await evictions.byTag('late');
    // Nothing known so far says that the run is outdated, so these two join it.
    const after = [await gated.send('/gated/late'), await gated.send('/gated/late')];
    expect(gated.world.runs).toBe(1);
    gated.world.open(1, 2);
    expect(await leader.answer()).toEqual({ run: 1, version: 1 });
    for (const { answer } of after) expect(await answer()).toEqual({ run: 2, version: 2 });
    expect(await gated.ask('/gated/late')).toEqual({ run: 2, version: 2 });
    expect(gated.world.runs).toBe(2);
  });

  it('that follows another finds those who came between the two, too', async () => {
    const leader = await gated.send('/gated/late');
    await evictions.byTag('other');
    const between = await gated.send('/gated/late');
    gated.world.version = 2;
    await evictions.byTag('late');
    const after = await gated.send('/gated/late');
    gated.world.open(1, 2);
    expect(await leader.answer()).toEqual({ run: 1, version: 1 });
    expect([1, 2]).toContain((await between.answer()).version);
    expect(await after.answer()).toEqual({ run: 2, version: 2 });
  });

  it('also wins against a refresh', async () => {
    const refresh = await gated.send('/gated/refreshable', { 'x-refresh': '1' });
    gated.world.version = 2;
    await evictions.byTag('data');
    gated.world.open(1);
    expect(await refresh.answer()).toEqual({ run: 1, version: 1 });
    expect(await gated.ask('/gated/refreshable')).toEqual({ run: 2, version: 2 });
  });

  it('or any number of them makes nobody wait for more than one other run', async () => {
    const leader = await gated.send('/gated/late');
    const answers = [];
    for (let n = 0; n < 5; n++) {
      await evictions.byTag('late');
      answers.push(await gated.send('/gated/late'));
    }
    gated.world.open(1);
    await leader.answer();
    await gated.world.started(2);
    await evictions.byTag('late');
    gated.world.open(2);
    for (const { answer } of answers) expect((await answer()).run).toBe(2);
    expect(gated.world.runs).toBe(2);
  });
});

describe.each(PLATFORMS)('two handlers that run for one key, on %s', (platform) => {
  let gated: GatedApplication;

  beforeEach(async () => (gated = await startGated(platform)));
  afterEach(() => gated.close());

  it('leave what the later one made, whichever ends first', async () => {
    const older = await gated.send('/gated/refreshable');
    gated.world.version = 2;
    const newer = await gated.send('/gated/refreshable', { 'x-refresh': '1' });
    await gated.world.started(2);
    gated.world.open(2);
    expect(await newer.answer()).toEqual({ run: 2, version: 2 });
    gated.world.open(1);
    expect(await older.answer()).toEqual({ run: 1, version: 1 });
    expect(await gated.ask('/gated/refreshable')).toEqual({ run: 2, version: 2 });
  });

  it('are independent where one is a refresh: it neither joins nor leads', async () => {
    const leader = await gated.send('/gated/refreshable');
    const refresh = await gated.send('/gated/refreshable', { 'x-refresh': '1' });
    await gated.world.started(2);
    const waiter = await gated.send('/gated/refreshable');
    gated.world.open(1);
    expect((await leader.answer()).run).toBe(1);
    expect((await waiter.answer()).run).toBe(1);
    gated.world.open(2);
    expect((await refresh.answer()).run).toBe(2);
    // A refresh that is under way is not waited for either.
    await gated.app.get(CacheEvictionService).all();
    const alone = await gated.send('/gated/refreshable', { 'x-refresh': '1' });
    await gated.world.started(3);
    expect((await gated.ask('/gated/refreshable')).run).toBe(4);
    gated.world.open(3);
    expect((await alone.answer()).run).toBe(3);
  });
});
