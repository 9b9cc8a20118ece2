import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS } from '../support/application.js';
import { type GatedApplication, startGated } from '../support/gated-application.js';
import { eventually, turns } from '../support/gate.js';

describe.each(PLATFORMS)('waiting for another request on %s', (platform) => {
  let gated: GatedApplication;

  beforeEach(async () => (gated = await startGated(platform, { coalesceTimeout: '10s' })));
  afterEach(() => gated.close());

  it('ends at the deadline, counted from the start of its handler, not from the arrival of each', async () => {
    const leader = await gated.send('/gated');
    gated.clock.advance(6_000);
    const waiters = [await gated.send('/gated'), await gated.send('/gated')];
    gated.clock.advance(3_999);
    await turns(20);
    expect(gated.world.runs).toBe(1);
    gated.clock.advance(1);
    await gated.world.started(3);
    gated.world.open(2, 3);
    expect(
      (await Promise.all(waiters.map(async ({ answer }) => (await answer()).run))).toSorted((a, b) => a - b),
    ).toEqual([2, 3]);
    gated.world.open(1);
    expect((await leader.answer()).run).toBe(1);
  });

  it('is not begun behind a handler that has passed its deadline', async () => {
    const leader = await gated.send('/gated');
    gated.clock.advance(10_000);
    const next = await gated.send('/gated');
    await gated.world.started(2);
    const joined = await gated.send('/gated');
    gated.world.open(2);
    expect([(await next.answer()).run, (await joined.answer()).run]).toEqual([2, 2]);
    gated.world.open(1);
    expect((await leader.answer()).run).toBe(1);
    // The later run's response stays, though the older one ended after it.
    expect((await gated.ask('/gated')).run).toBe(2);
  });

  it('goes on when the first client leaves: its handler finishes for the others and for the cache', async () => {
    const leave = await gated.sendAndLeave('/gated');
    const waiter = await gated.send('/gated');
    await leave();
    gated.world.open(1);
    expect((await waiter.answer()).run).toBe(1);
    expect((await gated.ask('/gated')).run).toBe(1);
    expect(gated.world.runs).toBe(1);
  });

  it.each(['/gated/observable', '/gated/stream'])(
    'promotes one of those who wait where the handler ends with its client: %s',
    async (target) => {
      const leave = await gated.sendAndLeave(target);
      await gated.world.started(1);
      const waiters = [await gated.send(target), await gated.send(target), await gated.send(target)];
      await leave();
      gated.world.open(1);
      await gated.world.started(2);
      await turns(20);
      expect(gated.world.runs).toBe(2);
      gated.world.open(2);
      const bodies = await Promise.all(waiters.map(async ({ response }) => (await response).text));
      expect(new Set(bodies).size).toBe(1);
      expect(bodies[0]).toContain(target.endsWith('stream') ? 'begin run 2' : '"run":2');
      expect((await gated.request(target)).verdict).toBe('HIT');
      expect(gated.world.runs).toBe(2);
    },
  );

  it('of a client that leaves promotes nobody and runs nothing', async () => {
    const leader = await gated.send('/gated/cookie');
    const leave = await gated.sendAndLeave('/gated/cookie');
    await leave();
    gated.world.open(1);
    await leader.response;
    await turns(20);
    expect(gated.world.runs).toBe(1);
  });

  it('ends when a stream fails: everybody runs a handler of their own, at once', async () => {
    await gated.sendAndLeave('/gated/broken-stream');
    await gated.world.started(1);
    await gated.sendAndLeave('/gated/broken-stream');
    await gated.sendAndLeave('/gated/broken-stream');
    gated.world.open(1);
    await gated.world.started(3);
    gated.world.open(2, 3);
    await eventually(() => gated.count('skipped') === 3, 'all three have ended');
    expect(gated.events.filter((event) => event.type === 'skipped')).toEqual(
      Array.from({ length: 3 }, () => expect.objectContaining({ reason: 'aborted' }) as unknown),
    );
    expect(gated.count('stored')).toBe(0);
  });
});
