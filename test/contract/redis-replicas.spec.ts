import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { RedisNames } from '../../libs/caching/src/stores/redis/redis-names.js';
import { UnconfirmedEvictionError } from '../../libs/caching/src/caching.errors.js';
import { poll } from '../support/redis/poll.js';
import { type RedisServer, startRedis } from '../support/redis/redis-server.js';
import { openTiered, TIMES } from '../support/redis/tiered.js';

const TIMEOUT_MS = 200;

let server: RedisServer;
let replica: RedisServer;

beforeAll(async () => {
  [server, replica] = await Promise.all([startRedis(), startRedis()]);
  await replica.command('REPLICAOF', '127.0.0.1', String(server.port));
  await poll(
    'the replica to follow',
    async () => (await replica.info('replication', 'master_link_status')) === 'up' || undefined,
  );
});

afterEach(() => replica.resume());

afterAll(() => Promise.all([server.close(), replica.close()]));

async function open() {
  const opened = await openTiered({
    connection: { url: server.url, waitForReplicas: 1 },
    coherence: 'strict',
    memory: true,
    timeout: TIMEOUT_MS,
  });
  onTestFinished(() => opened.store.close());
  return opened;
}

describe('evictions that wait for a replica which is silent', () => {
  it('keep no look-up waiting', async () => {
    const { store, read, put } = await open();
    await put('a', { tags: ['t:a'] });
    replica.stop();
    const failures: unknown[] = [];
    let count = 0;
    const waiting = new Set(Array.from({ length: 10 }, (_, at) => `t:${at}`));
    const lookups = async () => {
      for (; waiting.size > 0; count++) await read('a').catch((error: unknown) => failures.push(error));
    };
    const evictions = async () => {
      for (const tag of waiting) {
        await expect(store.evict([tag])).rejects.toThrow(UnconfirmedEvictionError);
        waiting.delete(tag);
      }
    };
    await Promise.all([lookups(), evictions().finally(() => waiting.clear())]);
    expect(failures).toEqual([]);
    // Behind a wait there would be one or two for each eviction.
    expect(count).toBeGreaterThan(100);
    expect(await read('a')).toBe('a');
  });

  it('are executed once, and acknowledged when the replica has them', async () => {
    const { store, clock, namespace, put, read } = await open();
    const names = new RedisNames(namespace);
    const count = async () => Number(String(await server.command('GET', names.position)).split(':')[1]);
    await store.lookup('a');
    replica.stop();
    await expect(store.evict(['t:1'])).rejects.toThrow('0 of 1 replicas');
    for (let beats = 0; beats < 10; beats++) {
      clock.advance(TIMES.heartbeat);
      await store.lookup('a');
    }
    expect(await count()).toBe(1);
    // Nothing that it concerns is shared meanwhile.
    await put('a', { tags: ['t:1'] });
    expect(await server.command('EXISTS', names.view('a'))).toBe(0);

    replica.resume();
    await poll('the acknowledgement', async () => {
      clock.advance(TIMES.heartbeat);
      await store.lookup('a');
      await put('a', { tags: ['t:1'] });
      return (await server.command('EXISTS', names.view('a'))) === 1 || undefined;
    });
    expect(await read('a')).toBe('a');
    expect(await count()).toBe(1);
    expect(await store.evict(['t:1'])).toMatchObject({ n: 2 });
  });
});

describe('evictions that wait for a replica which is there', () => {
  it('are acknowledged, many at once as well', async () => {
    const { store } = await open();
    const evictions = Array.from({ length: 50 }, (_, at) => store.evict([`t:${at}`]));
    const places = await Promise.all(evictions);
    expect(places.map(({ n }) => n).sort((a, b) => a - b)).toEqual(places.map((_, at) => at + 1));
  });
});
