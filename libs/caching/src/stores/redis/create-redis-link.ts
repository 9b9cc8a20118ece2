import { CachingConfigError } from '../../caching.errors.js';
import { checkNames } from '../../check-names.js';
import { kindOf } from '../kind-of.js';
import { ClusterLink } from './cluster-link.js';
import { readClient } from './given-client.js';
import { listenForErrors, type NodeRedisClient } from './node-redis.js';
import { ownClient } from './own-client.js';
import type { RedisLink, RedisLinkOptions } from './redis-link.js';
import { parseRedisUrl } from './redis-url.js';
import { SentinelLink } from './sentinel-link.js';
import { ServerLink } from './server-link.js';
import { createUrlLink, type RedisClientSettings } from './url-link.js';

const SETTINGS: Readonly<Record<keyof RedisClientSettings, true>> = {
  username: true,
  password: true,
  database: true,
  name: true,
  credentialsProvider: true,
  clientInfoTag: true,
  disableClientInfo: true,
  socket: true,
};

/** How Redis is reached. */
export type RedisConnection =
  | {
      /**
       * `redis://`, `redis+sentinel://` or `redis+cluster://`, with `rediss` for TLS, or `unix://`; user, password
       * (percent-encoded), ports, the master's name and a database may follow.
       */
      readonly url: string;
      /** What node-redis is told beside it, such as TLS. What the URL says wins. */
      readonly clientOptions?: RedisClientSettings;
      /** The same for the sentinels themselves, whose credentials are their own. */
      readonly sentinelOptions?: RedisClientSettings;
      readonly client?: never;
    }
  | {
      /**
       * A client, cluster or sentinel of node-redis 4, 5 or 6, or a store of cache-manager-redis-yet. Its options are
       * taken, in connections of our own; it is never closed, and gets no more than an `error` listener.
       */
      readonly client: NodeRedisClient;
      readonly url?: never;
      readonly clientOptions?: never;
      readonly sentinelOptions?: never;
    };

/**
 * The link to Redis. Nothing is opened before `open()`.
 *
 * @throws CachingConfigError for a URL or a client that can't be used
 * @example createRedisLink({ url: 'redis://localhost:6379/0' }, { clock: systemClock, timeout: 100, onError: report })
 */
export function createRedisLink(connection: RedisConnection, options: RedisLinkOptions): RedisLink {
  const { url, client } = connection;
  if ((url === undefined) === (client === undefined))
    throw new CachingConfigError('options', kindOf(connection), 'either url or client', 'redis()');
  for (const field of ['clientOptions', 'sentinelOptions'] as const) checkSettings(field, connection);
  if (url !== undefined) return createUrlLink(parseRedisUrl(url), connection, options);
  const given = readClient(client);
  listenForErrors(given.client);
  switch (given.kind) {
    case 'server':
      return new ServerLink(() => ownClient(given.client), options);
    case 'cluster':
      return new ClusterLink(given.client, options);
    case 'sentinel':
      return new SentinelLink(given.client, options);
  }
}

/** What is given may hold a password: it is not shown. */
function checkSettings(field: 'clientOptions' | 'sentinelOptions', connection: RedisConnection): void {
  const given: unknown = connection[field];
  if (given === undefined) return;
  const isObject = typeof given === 'object' && given !== null && !Array.isArray(given);
  if (!isObject || connection.url === undefined)
    throw new CachingConfigError(field, kindOf(given), 'an object of options, beside a url', 'redis()');
  checkNames(given, SETTINGS, 'redis()', `${field}.`);
}
