import { CachingConfigError } from '../caching.errors.js';
import { kindOf } from '../stores/kind-of.js';
import { memory, type MemoryStore } from '../stores/memory.store.js';
import { nullStore, type NullStore } from '../stores/null.store.js';
import { parseRedisUrl } from '../stores/redis/redis-url.js';
import { redis, type RedisStoreOptions, type RedisTier } from '../stores/redis/redis.store.js';

const ALLOWED =
  "'memory:', 'null:', or a URL of Redis ('redis:', 'rediss:', 'redis+sentinel:', 'redis+cluster:', 'unix:')";

/** What a store is told beside its URL. */
export interface StoreUrlOptions {
  /** For the URLs of Redis: everything that `redis()` takes beside them. */
  readonly redis?: Pick<RedisStoreOptions, 'clientOptions' | 'sentinelOptions' | 'waitForReplicas'>;
}

/**
 * The store that a URL names, for configurations that come as text.
 *
 * @param url `memory:`, `null:`, or what `redis({ url })` takes
 * @throws CachingConfigError, which shows no credentials
 * @example
 * CachingModule.forRoot({ store: storeFromUrl('redis://localhost:6379/2') })
 */
export function storeFromUrl(
  url: string,
  options: StoreUrlOptions = {},
): MemoryStore | NullStore | RedisTier {
  if (typeof url !== 'string') throw new CachingConfigError('url', kindOf(url), ALLOWED, 'storeFromUrl()');
  const [, scheme = ''] = /^([a-z+]+):/i.exec(url) ?? [];
  switch (scheme.toLowerCase()) {
    case 'memory':
      return memory();
    case 'null':
      return nullStore();
    case 'redis':
    case 'rediss':
    case 'redis+sentinel':
    case 'rediss+sentinel':
    case 'redis+cluster':
    case 'rediss+cluster':
    case 'unix':
      parseRedisUrl(url);
      return redis({ ...options.redis, url });
    default:
      // Whatever it is may hold a password.
      throw new CachingConfigError('url', '(another kind of text)', ALLOWED, 'storeFromUrl()');
  }
}
