import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HIT_FOR_MISS_LIFE } from '../../libs/caching/src/cache/hit-for-miss.js';
import { PLATFORMS } from '../support/application.js';
import { type GatedApplication, startGated } from '../support/gated-application.js';
import { comparable } from '../support/raw-http.js';
import { turns } from '../support/gate.js';

describe.each(PLATFORMS)('those who wait for another request on %s', (platform) => {
  let gated: GatedApplication;

  beforeEach(async () => (gated = await startGated(platform)));
  afterEach(() => gated.close());

  it('are given its response, byte for byte, and told so', async () => {
    const leader = await gated.send('/gated');
    const waiter = await gated.send('/gated');
    gated.world.open(1);
    expect((await waiter.response).cacheStatus).toBe('nestjs-caching; fwd=uri-miss; collapsed');
    expect((await waiter.response).verdict).toBe('MISS');
    expect(comparable(await waiter.response)).toEqual(comparable(await leader.response));
    expect(gated.world.runs).toBe(1);
  });

  it('do so by key: other keys have runs of their own', async () => {
    const requests = [
      await gated.send('/gated/one/1'),
      await gated.send('/gated/one/2'),
      await gated.send('/gated?a=1'),
    ];
    await gated.world.started(3);
    gated.world.open(1, 2, 3);
    expect(new Set(await Promise.all(requests.map(async ({ answer }) => (await answer()).run)))).toEqual(
      new Set([1, 2, 3]),
    );
  });

  it.each(['/gated/status/404', '/gated/status/500', '/gated/status/418'])(
    'share the error status of %s, which nobody remembers',
    async (target) => {
      const leader = await gated.send(target);
      const waiters = [await gated.send(target), await gated.send(target)];
      gated.world.open(1);
      const expected = comparable(await leader.response);
      expect((await leader.response).status).toBe(Number(target.split('/').at(-1)));
      for (const { response } of waiters) expect(comparable(await response)).toEqual(expected);
      expect(gated.world.runs).toBe(1);
      expect(await gated.ask(target)).toMatchObject({ run: 2 });
      // Remembered by nobody also means: the next ones still wait for each other.
      const [one, two] = [await gated.send(target), await gated.send(target)];
      gated.world.open(3);
      expect([(await one.answer()).run, (await two.answer()).run]).toEqual([3, 3]);
    },
  );

  it('share an exception as its filter rendered it, which nobody remembers', async () => {
    const leader = await gated.send('/gated/fails');
    const waiter = await gated.send('/gated/fails');
    gated.world.open(1);
    expect((await leader.response).status).toBe(500);
    expect(comparable(await waiter.response)).toEqual(comparable(await leader.response));
    expect(gated.world.runs).toBe(1);
    gated.world.open(2);
    expect((await gated.request('/gated/fails')).status).toBe(500);
    expect(gated.world.runs).toBe(2);
  });

  it.each(['/gated/cookie', '/gated/no-store', '/gated/private', '/gated/filtered'])(
    'run their own handlers, all at once, where the response is for its own client only: %s',
    async (target) => {
      const requests = [await gated.send(target), await gated.send(target), await gated.send(target)];
      expect(gated.world.runs).toBe(1);
      gated.world.open(1);
      await gated.world.started(3);
      gated.world.open(2, 3);
      const runs = await Promise.all(requests.map(async ({ answer }) => (await answer()).run));
      expect(runs.toSorted((a, b) => a - b)).toEqual([1, 2, 3]);
      const cookies = await Promise.all(
        requests.map(async ({ response }) => (await response).headers['set-cookie']),
      );
      expect(cookies).toEqual(runs.map((run) => (target.endsWith('cookie') ? [`run=${run}`] : undefined)));
      expect((await gated.ask(target)).run).toBe(4);
    },
  );

  it('are not waiting at all while the key is known to give such responses, and wait again after that', async () => {
    expect((await gated.ask('/gated/cookie')).run).toBe(1);
    const parallel = [await gated.send('/gated/cookie'), await gated.send('/gated/cookie')];
    await gated.world.started(3);
    gated.world.open(2, 3);
    await Promise.all(parallel.map(({ response }) => response));
    gated.clock.advance(HIT_FOR_MISS_LIFE);
    const leader = await gated.send('/gated/cookie');
    await gated.send('/gated/cookie');
    await turns(20);
    expect(gated.world.runs).toBe(4);
    gated.world.open(4, 5);
    await leader.response;
  });

  it('wait again as soon as a response of the key could be stored', async () => {
    await gated.ask('/gated/undecided');
    await gated.ask('/gated/undecided');
    expect((await gated.ask('/gated/undecided')).run).toBe(3);
    expect((await gated.ask('/gated/undecided')).run).toBe(3);
    gated.clock.advance(5 * 60_000);
    const [one, two] = [await gated.send('/gated/undecided'), await gated.send('/gated/undecided')];
    gated.world.open(4);
    expect([(await one.answer()).run, (await two.answer()).run]).toEqual([4, 4]);
  });

  it('run their own handlers where the body passes `maxEntryBytes`', async () => {
    const requests = [await gated.send('/gated/large'), await gated.send('/gated/large')];
    gated.world.open(1);
    await gated.world.started(2);
    gated.world.open(2);
    expect(
      (await Promise.all(requests.map(async ({ answer }) => (await answer()).run))).toSorted((a, b) => a - b),
    ).toEqual([1, 2]);
    expect((await gated.ask('/gated/large')).run).toBe(3);
  });
});
