import { describe, expect, it } from 'vitest';
import { readPage } from '../support/markdown.js';
import { cellsOf, problemOf } from '../support/promise-references.js';

/** Every public name, parameter, configuration key and back end of Flask-Caching 2.5, from its reference. */
const NAMES: readonly string[] = [
  'Cache(app, config)',
  'Cache(with_jinja2_ext)',
  'init_app',
  'cache',
  'get',
  'set',
  'add',
  'delete',
  'has',
  'get_many',
  'set_many',
  'delete_many',
  'get_dict',
  'unlink',
  'clear',
  'cached',
  'memoize',
  'delete_cached',
  'delete_memoized',
  'delete_memoized_verhash',
  'timeout',
  'timeout (callable)',
  'key_prefix',
  'unless',
  'forced_update',
  'is_stale',
  'response_filter',
  'query_string',
  'hash_method',
  'cache_none',
  'make_cache_key',
  'source_check',
  'response_hit_indication',
  'make_name',
  'args_to_ignore',
  'uncached',
  'cache_timeout',
  'make_cache_key (attribute)',
  'delete_memoized (attribute)',
  'CachedResponse',
  '__caching_id__',
  'make_template_fragment_key',
  'cache_view_hit',
  'cache_view_miss',
  'cache_memoize_hit',
  'cache_memoize_miss',
  'BaseCache',
  'CACHE_TYPE',
  'CACHE_NO_NULL_WARNING',
  'CACHE_ARGS',
  'CACHE_OPTIONS',
  'CACHE_DEFAULT_TIMEOUT',
  'CACHE_IGNORE_ERRORS',
  'CACHE_THRESHOLD',
  'CACHE_KEY_PREFIX',
  'CACHE_SOURCE_CHECK',
  'CACHE_HASH_METHOD',
  'CACHE_SERIALIZER',
  'CACHE_ENABLE_SIGNALS',
  'CACHE_UWSGI_NAME',
  'CACHE_GCS_BUCKET',
  'CACHE_MEMCACHED_SERVERS',
  'CACHE_MEMCACHED_USERNAME',
  'CACHE_MEMCACHED_PASSWORD',
  'CACHE_REDIS_HOST',
  'CACHE_REDIS_PORT',
  'CACHE_REDIS_PASSWORD',
  'CACHE_REDIS_DB',
  'CACHE_REDIS_HOST (a client)',
  'CACHE_REDIS_SENTINELS',
  'CACHE_REDIS_SENTINEL_MASTER',
  'CACHE_REDIS_SENTINEL_PASSWORD',
  'CACHE_REDIS_CLUSTER',
  'CACHE_FILE_HASH_METHOD',
  'CACHE_DIR',
  'CACHE_REDIS_URL',
  'NullCache',
  'SimpleCache',
  'FileSystemCache',
  'RedisCache',
  'RedisSentinelCache',
  'RedisClusterCache',
  'MemcachedCache',
  'SASLMemcachedCache',
  'SpreadSASLMemcachedCache',
  'UWSGICache',
  'GoogleCloudStorageCache',
  'cachelib back ends',
];

/** Templates of Jinja, uWSGI, Google Cloud Storage, and Memcached with SASL. */
const MAY_BE_MISSING =
  /^(Cache\(with_jinja2_ext\)|make_template_fragment_key|.*UWSGI.*|CACHE_GCS_BUCKET|GoogleCloudStorageCache|CACHE_MEMCACHED_(USERNAME|PASSWORD)|.*SASL.*)$/;

const rows = readPage('docs/flask-caching.md').flatMap((line) => {
  const [name, verdict = '', here = '', shownBy = ''] = cellsOf(line);
  const quoted = /^`(.+)`$/.exec(name ?? '')?.[1];
  return quoted === undefined ? [] : [{ name: quoted, verdict, here, shownBy }];
});

describe('docs/flask-caching.md', () => {
  it('names everything that Flask-Caching has, once', () => {
    expect(rows.map(({ name }) => name).sort()).toEqual([...NAMES].sort());
  });

  it.each(rows)('$name: $verdict', ({ name, verdict, here, shownBy }) => {
    const references = [...shownBy.matchAll(/`([^`]+)`/g)].map(([, reference = '']) => reference);
    const isMissing = /^not here, because .+/.test(verdict);
    expect(isMissing ? 'not here' : verdict).toMatch(/^(same|better|not here)$/);
    expect(isMissing).toBe(isMissing && MAY_BE_MISSING.test(name));
    expect(here !== '').toBe(!isMissing);
    expect(references.length > 0).toBe(!isMissing);
    expect(references.map(problemOf).filter((found) => found !== undefined)).toEqual([]);
  });
});
