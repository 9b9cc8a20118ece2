import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { isEntry } from '../../libs/caching/src/cache/entry.js';
import type { StampPosition } from '../../libs/caching/src/cache/stamps.js';
import type { RedisStoreOptions } from '../../libs/caching/src/stores/redis/redis.store.js';
import { type OpenClient, SINGLE_CLIENTS } from '../support/redis/clients.js';
import { poll } from '../support/redis/poll.js';
import { type RedisServer, startRedis } from '../support/redis/redis-server.js';
import { type OpenedTiered, openTiered, type TieredOptions, TIMES } from '../support/redis/tiered.js';

const CLIENTS = SINGLE_CLIENTS.filter(({ name }) => name !== 'redisStore');
const BOTH = ['bus', 'strict'] as const;
const MEMORY = [true, false] as const;

let server: RedisServer;
let given: OpenClient;
let opened: OpenedTiered[] = [];

beforeAll(async () => {
  server = await startRedis();
});

afterAll(() => server.close());

afterEach(async () => {
  await Promise.all(opened.map(({ store }) => store.close()));
  opened = [];
});

async function open(options: Omit<TieredOptions, 'connection' | 'memory'> & { memory?: boolean }) {
  const connection = { client: given.client } as unknown as RedisStoreOptions;
  const one = await openTiered({ connection, memory: true, ...options });
  opened.push(one);
  return one;
}

/** Two instances of an application. */
async function openTwo(options: Parameters<typeof open>[0]): Promise<[OpenedTiered, OpenedTiered]> {
  const one = await open(options);
  return [one, await open({ ...options, namespace: one.namespace })];
}

/** Both have an entry with the tag `t:1` at hand. */
async function fillBoth([one, two]: readonly [OpenedTiered, OpenedTiered]): Promise<void> {
  await one.put('a', { tags: ['t:1'] });
  expect(await one.read('a')).toBe('a');
  expect(await two.read('a')).toBe('a');
}

async function startOf({ store }: OpenedTiered): Promise<StampPosition> {
  const found = await store.lookup('nothing');
  if (isEntry(found)) throw new Error('something is there');
  return found;
}

const gone = ({ read }: OpenedTiered, key = 'a') =>
  poll('the entry to be gone', async () => ((await read(key)) === undefined ? true : undefined), 5_000, 1);

describe.each(CLIENTS)('two instances on one Redis, by $name', (client) => {
  beforeAll(async () => {
    given = await client.open(server.url);
  });

  afterAll(() => given.close());

  describe.each(BOTH)('with coherence %s', (coherence) => {
    /** At once where that is promised, and soon where it is not. */
    const toBeGone = async (each: OpenedTiered): Promise<void> => {
      if (coherence === 'bus') await gone(each);
      expect(await each.read('a')).toBeUndefined();
    };

    it.each(MEMORY)('read what the other has filled; memory in front: %s', async (memory) => {
      const [one, two] = await openTwo({ coherence, memory });
      await one.put('a', { text: 'by one' });
      expect(await two.read('a')).toBe('by one');
      expect(isEntry(two.local.lookup('a'))).toBe(memory);
    });

    it('see what the other evicts, and nothing else is gone', async () => {
      const both = await openTwo({ coherence });
      const [one, two] = both;
      await fillBoth(both);
      await one.put('b', { tags: ['t:2'] });
      expect(await two.read('b')).toBe('b');
      await two.store.evict(['t:1']);
      expect(await two.read('a')).toBeUndefined();
      await toBeGone(one);
      expect(await one.read('b')).toBe('b');
      expect(await two.read('b')).toBe('b');
      await one.put('a', { tags: ['t:1'], text: 'fresh' });
      expect(await two.read('a')).toBe('fresh');
    });

    it('refuse a fill that started before an eviction by the other, although it ends after it', async () => {
      const [one, two] = await openTwo({ coherence });
      const before = await startOf(one);
      await two.store.evict(['t:1']);
      await one.put('a', { start: before, tags: ['t:1'] });
      expect(await two.read('a')).toBeUndefined();
      await toBeGone(one);
      // Nor does it come back.
      expect(await two.read('a')).toBeUndefined();
      expect(await one.read('a')).toBeUndefined();
    });

    it('know of all evictions when both evict at once', async () => {
      const [one, two] = await openTwo({ coherence });
      const keys = Array.from({ length: 40 }, (_, at) => `k${at}`);
      await Promise.all(keys.map((key) => one.put(key, { tags: [`t:${key}`] })));
      expect(await Promise.all(keys.map(two.read))).toEqual(keys);
      await Promise.all(
        keys.slice(0, 30).map((key, at) => (at % 2 === 0 ? one : two).store.evict([`t:${key}`])),
      );
      for (const each of [one, two]) {
        await gone(each, 'k28');
        await gone(each, 'k29');
        const expected = keys.map((key, at) => (at < 30 ? undefined : key));
        expect(await Promise.all(keys.map(each.read))).toEqual(expected);
      }
    });
  });

  it('strict: see it with the next look-up, and none of a hundred evictions too late', async () => {
    const both = await openTwo({ coherence: 'strict', isDeaf: true });
    const [one, two] = both;
    for (let round = 0; round < 100; round++) {
      await fillBoth(both);
      await (round % 2 === 0 ? one : two).store.evict(['t:1']);
      expect([await one.read('a'), await two.read('a')]).toEqual([undefined, undefined]);
    }
  });

  it('bus: answer from memory while they hear each other, without a question', async () => {
    const both = await openTwo({ coherence: 'bus' });
    await fillBoth(both);
    const [one] = both;
    await one.read('a');
    expect(isEntry(one.store.lookup('a') as never)).toBe(true);
  });

  it('bus: see it with the heartbeat where the message was lost', async () => {
    const both = await openTwo({ coherence: 'bus', isDeaf: true });
    await fillBoth(both);
    const [one, two] = both;
    await two.store.evict(['t:1']);
    // What the documentation says of it: so long it may be served.
    expect(await one.read('a')).toBe('a');
    one.clock.advance(TIMES.heartbeat);
    await gone(one);
  });

  it('bus: serve nothing unasked once heartbeat and time-out have passed', async () => {
    const both = await openTwo({ coherence: 'bus', isDeaf: true });
    await fillBoth(both);
    const [one, two] = both;
    await two.store.evict(['t:1']);
    one.clock.advance(TIMES.heartbeat + TIMES.timeout + 1);
    expect(await one.read('a')).toBeUndefined();
  });

  it('bus: ask for each hit while they hear nothing', async () => {
    const both = await openTwo({ coherence: 'bus', isDeaf: true });
    await fillBoth(both);
    const [one, two] = both;
    one.setHearing(false);
    expect(await one.read('a')).toBe('a');
    await two.store.evict(['t:1']);
    expect(await one.read('a')).toBeUndefined();
  });

  it('bus: ask once they hear again, as they may have missed something', async () => {
    const both = await openTwo({ coherence: 'bus', isDeaf: true });
    await fillBoth(both);
    const [one, two] = both;
    one.setHearing(false);
    await two.store.evict(['t:1']);
    one.setHearing(true);
    expect(await one.read('a')).toBeUndefined();
  });

  it('apply an eviction in their own process before Redis has answered', async () => {
    const both = await openTwo({ coherence: 'bus' });
    await fillBoth(both);
    const [one] = both;
    const before = await startOf(one);
    const evicting = one.store.evict(['t:1']);
    expect(one.store.isCurrent(before, ['t:1'])).toBe(false);
    expect(one.store.isCurrent(before, ['t:2'])).toBe(true);
    const reading = one.read('a');
    expect(await reading).toBeUndefined();
    await evicting;
  });

  it('fill a key one at a time with a lease', async () => {
    const [one, two] = await openTwo({ coherence: 'bus' });
    expect(await one.store.lease('a', 'one', 10_000)).toBe('ours');
    expect(await two.store.lease('a', 'two', 10_000)).toBe('theirs');
    await one.store.release('a', 'one', 10_000);
    expect(await two.store.lease('a', 'two', 10_000)).toBe('uncacheable');
  });
});
