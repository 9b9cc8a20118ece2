import { type CacheStore, redis } from 'nestjs-caching';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startEngine } from '../support/engine.js';
import { tierHost } from '../support/tier-host.js';

/** Where nobody listens. */
const NOWHERE = 'redis://127.0.0.1:2';

describe('while a store is away', () => {
  it('commands to Redis fail with one error for each command, which is made once', async () => {
    const tier = redis({ url: NOWHERE });
    tier.open(tierHost('outage', { timeout: 100 }));
    onTestFinished(() => tier.close());
    const errors = await Promise.all(
      ['a', 'b'].map((key) => tier.lookup(key).catch((error: unknown) => error)),
    );
    expect(errors[0]).toMatchObject({
      message: "The cache store's MGET failed: Redis is not connected",
      operation: 'MGET',
    });
    expect(errors[1]).toBe(errors[0]);
    const other = await tier.position().catch((error: unknown) => error);
    expect(other).toMatchObject({ operation: 'GET' });
  });

  it('requests are told of one error for each cause', async () => {
    let cause: unknown;
    const store: CacheStore = {
      name: 'away',
      position: { epoch: 'e', n: 0 },
      lookup: () => Promise.reject(cause),
      set: () => false,
      evict: () => Promise.reject(cause),
      isCurrent: () => true,
    };
    const { cache, events } = startEngine({ store });
    const errors = () =>
      events.flatMap((event) => (event.type === 'storeError' ? [event.error as Error] : []));
    for (cause of [new Error('away'), new Error('still away'), undefined]) {
      await cache.lookup('a');
      await cache.lookup('b');
    }
    expect(errors().map((error) => error.cause)).toEqual([
      ...Array.from({ length: 2 }, () => expect.objectContaining({ message: 'away' }) as Error),
      ...Array.from({ length: 2 }, () => expect.objectContaining({ message: 'still away' }) as Error),
      undefined,
      undefined,
    ]);
    expect(errors()[1]).toBe(errors()[0]);
    expect(errors()[2]).not.toBe(errors()[1]);
    expect(errors()[3]).toBe(errors()[2]);
    await expect(cache.evict(['t'])).rejects.toMatchObject({ operation: 'evict' });
  });
});
