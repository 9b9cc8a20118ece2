import { CachingConfigError } from '../caching.errors.js';
import { kindOf } from '../stores/kind-of.js';
import { memory, type MemoryStore } from '../stores/memory.store.js';
import { nullStore, type NullStore } from '../stores/null.store.js';
import { parseRedisUrl } from '../stores/redis/redis-url.js';
import { sqlite, type SqliteStoreOptions, type SqliteTier } from '../stores/sqlite/sqlite.store.js';
import { redis, type RedisStoreOptions, type RedisTier } from '../stores/redis/redis.store.js';

const ALLOWED =
  "'memory:', 'null:', 'sqlite:path/of.file', or a URL of Redis ('redis:', 'rediss:', 'redis+sentinel:', 'redis+cluster:', 'unix:')";

/** What a store is told beside its URL. */
export interface StoreUrlOptions {
  /** For the URLs of Redis: everything that `redis()` takes beside them. */
  readonly redis?: Pick<RedisStoreOptions, 'clientOptions' | 'sentinelOptions' | 'waitForReplicas'>;
  /** For `sqlite:`: everything that `sqlite()` takes beside the file. */
  readonly sqlite?: Omit<SqliteStoreOptions, 'file'>;
}

/**
 * The store that a URL names, for configurations that come as text.
 *
 * @param url `memory:`, `null:`, `sqlite:` with the path of a file (percent-encoded), or what `redis({ url })` takes
 * @throws CachingConfigError, which shows no credentials
 * @example
 * CachingModule.forRoot({ store: storeFromUrl('redis://localhost:6379/2') })
 */
export function storeFromUrl(
  url: string,
  options: StoreUrlOptions = {},
): MemoryStore | NullStore | RedisTier | SqliteTier {
  if (typeof url !== 'string') throw new CachingConfigError('url', kindOf(url), ALLOWED, 'storeFromUrl()');
  const [, scheme = ''] = /^([a-z+]+):/i.exec(url) ?? [];
  switch (scheme.toLowerCase()) {
    case 'memory':
      return memory();
    case 'null':
      return nullStore();
    case 'sqlite':
      return sqlite({ ...options.sqlite, file: fileOf(url) });
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

/** `sqlite:relative/path`, `sqlite:/absolute/path` or `sqlite:///absolute/path`. */
function fileOf(url: string): string {
  const [, path = ''] = /^sqlite:(?:\/\/(?=\/))?(.*)$/i.exec(url) ?? [];
  try {
    const file = decodeURIComponent(path);
    if (file !== '' && !file.startsWith('//') && !/[?#]/.test(path)) return file;
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
  }
  // What stands behind these is no part of a path, and may be a secret.
  throw new CachingConfigError(
    'url',
    /[?#@]/.test(path) ? 'sqlite:(not shown)' : url,
    "'sqlite:path/of.file' or 'sqlite:///path/of.file'",
    'storeFromUrl()',
  );
}
