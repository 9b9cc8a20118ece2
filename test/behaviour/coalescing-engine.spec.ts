import { describe, expect, it } from 'vitest';
import { HIT_FOR_MISS_LIFE, HitForMiss } from '../../libs/caching/src/cache/hit-for-miss.js';
import { MAX_WAITERS, type Ticket, type ViewCache } from '../../libs/caching/src/cache/view-cache.js';
import { response, startEngine } from '../support/engine.js';
import { FakeClock } from '../support/fake-clock.js';

const VIEW = { route: 'Books.list', key: 'k' };

function join(cache: ViewCache, at = cache.lookup(VIEW.key)): Ticket {
  return cache.join(VIEW, at as never, ['t:books']);
}

function fill(ticket: Ticket) {
  if (ticket.role !== 'fill') throw new Error('expected a fill');
  return ticket.fill;
}

async function outcome(ticket: Ticket): Promise<string> {
  if (ticket.role !== 'wait') throw new Error('expected to wait');
  const result = await ticket.outcome;
  return typeof result === 'string' ? result : String(result.response.body);
}

describe('one flight per key', () => {
  it('takes a limited number of waiters; the rest run their own handlers', async () => {
    const { cache } = startEngine({ maxWaiters: 3 });
    const leader = fill(join(cache));
    const waiters = [join(cache), join(cache), join(cache)];
    const alone = [fill(join(cache)), fill(join(cache))];
    alone[0]?.store(response('alone'), 1_000);
    leader.store(response('leader'), 1_000);
    expect(await Promise.all(waiters.map(outcome))).toEqual(['leader', 'leader', 'leader']);
  });

  it('is not ended by the handlers that ran beside it', async () => {
    const { cache } = startEngine({ maxWaiters: 1 });
    const leader = fill(join(cache));
    const waiter = join(cache);
    fill(join(cache)).reject();
    fill(join(cache)).abort();
    leader.share(response('leader'));
    expect(await outcome(waiter)).toBe('leader');
  });

  it('has room for more than 10,000 by default', () => {
    expect(MAX_WAITERS).toBe(16_384);
  });

  it('ends once, in the first of the ways in which it is ended', async () => {
    const { cache, store } = startEngine();
    const leader = fill(join(cache));
    const waiter = join(cache);
    leader.abort();
    leader.store(response('too late'), 1_000);
    leader.reject();
    expect(await outcome(waiter)).toBe('retry');
    expect(store.lookup('k')).toBe(store.position);
    // `reject` came too late to say anything about the key.
    expect(join(cache).role).toBe('fill');
    expect(join(cache).role).toBe('wait');
  });

  it('leaves no timer behind', async () => {
    const { cache, clock } = startEngine();
    const leader = fill(join(cache));
    const waiters = [join(cache), join(cache)];
    expect(clock.pending).toBe(1);
    leader.store(response('leader'), 1_000);
    await Promise.all(waiters.map(outcome));
    expect(clock.pending).toBe(0);
  });

  it('does not let go of a newer one when it ends late', async () => {
    const { cache } = startEngine();
    const older = fill(join(cache));
    await cache.evict(['t:books']);
    const newer = fill(join(cache));
    older.abort();
    const waiter = join(cache);
    expect(waiter.role).toBe('wait');
    newer.store(response('newer'), 1_000);
    expect(await outcome(waiter)).toBe('newer');
  });

  it('after its deadline still stores what it makes, unless a later one has', async () => {
    const { cache, clock } = startEngine();
    const late = fill(join(cache));
    const waiter = join(cache);
    clock.advance(30_000);
    expect(await outcome(waiter)).toBe('late');
    late.store(response('late'), 1_000);
    expect(cache.lookup('k')).toMatchObject({ response: { body: Buffer.from('late') } });

    const older = cache.alone(VIEW, ['t:books']).fill;
    cache.alone(VIEW, ['t:books']).fill.store(response('newer'), 1_000);
    older.store(response('older'), 1_000);
    expect(cache.lookup('k')).toMatchObject({ response: { body: Buffer.from('newer') } });
  });

  it('gives its response to those who came before an eviction, and sends on those who came after', async () => {
    const { cache } = startEngine();
    const leader = fill(join(cache));
    const before = join(cache);
    await cache.evict(['t:late']);
    const after = join(cache);
    leader.addTag('t:late');
    leader.store(response('leader'), 1_000);
    expect(await outcome(before)).toBe('leader');
    expect(await outcome(after)).toBe('retry');
  });
});

describe('keys that are not worth waiting for', () => {
  it('are so for two seconds', () => {
    const clock = new FakeClock();
    const keys = new HitForMiss(clock);
    keys.add('k');
    clock.advance(HIT_FOR_MISS_LIFE - 1);
    expect(keys.has('k')).toBe(true);
    clock.advance(1);
    expect(keys.has('k')).toBe(false);
    expect(HIT_FOR_MISS_LIFE).toBe(2_000);
  });

  it('are so until one of their responses is stored', async () => {
    const { cache } = startEngine();
    fill(join(cache)).reject();
    const [one, two] = [fill(join(cache)), fill(join(cache))];
    one.store(response('one'), 1_000);
    two.abort();
    await cache.evict(['t:books']);
    expect(join(cache).role).toBe('fill');
    expect(join(cache).role).toBe('wait');
  });

  it('are bounded: of too many the ones that were not asked for longest are forgotten', () => {
    const keys = new HitForMiss(new FakeClock());
    for (let n = 0; n < 20_000; n++) keys.add(`k${n}`);
    const kept = Array.from({ length: 20_000 }, (_, n) => keys.has(`k${n}`));
    expect(kept.filter(Boolean)).toHaveLength(10_000);
    expect(kept.slice(10_000).every(Boolean)).toBe(true);
  });
});
