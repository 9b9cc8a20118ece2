import type { Keyv } from 'keyv';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../libs/caching/src/cache/clock.js';
import { CachingConfigError } from '../../libs/caching/src/caching.errors.js';
import { resolveOptions } from '../../libs/caching/src/resolve-options.js';
import { keyv } from '../../libs/caching/src/stores/keyv/keyv.store.js';
import { createRedisLink } from '../../libs/caching/src/stores/redis/create-redis-link.js';
import { redis } from '../../libs/caching/src/stores/redis/redis.store.js';

const PASSWORD = 's3cret';
const URL_OF_REDIS = `redis://app:${PASSWORD}@db`;

const link = (connection: unknown) =>
  createRedisLink(connection as never, { clock: systemClock, timeout: 100, onError: () => undefined });

/** What users get wrong with a password at hand. */
const MISTAKES: readonly (readonly [string, () => unknown])[] = [
  ['redis(url)', () => redis(URL_OF_REDIS as never)],
  ['redis() with a url and a client', () => link({ url: URL_OF_REDIS, client: { password: PASSWORD } })],
  ['redis({ client: url })', () => link({ client: URL_OF_REDIS })],
  ['redis({ client: options })', () => link({ client: { password: PASSWORD } })],
  ['redis({ url: [url] })', () => link({ url: [URL_OF_REDIS] })],
  ['redis({ url }) without its //', () => link({ url: `redis:app:${PASSWORD}@db` })],
  ['redis({ url }) with a slash in a password', () => link({ url: `redis://app:6379/${PASSWORD}@db` })],
  ['redis({ url }) of another kind', () => link({ url: `http://app:${PASSWORD}@db` })],
  ['keyv(url)', () => keyv(`postgres://app:${PASSWORD}@db` as unknown as Keyv)],
  ['keyv(options)', () => keyv({ uri: `postgres://app:${PASSWORD}@db` } as unknown as Keyv)],
  ['store: url', () => resolveOptions({ store: URL_OF_REDIS as never })],
];

describe('a store that is given wrongly', () => {
  it.each(MISTAKES)('is refused without showing a password: %s', (_what, make) => {
    let error: unknown;
    try {
      make();
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(CachingConfigError);
    const { message, given } = error as CachingConfigError;
    expect([message, inspect(error), inspect(given, { depth: 5 })].join('\n')).not.toContain(PASSWORD);
  });
});
