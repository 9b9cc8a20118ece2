import { CachingConfigError } from '../../caching.errors.js';
import { kindOf } from '../kind-of.js';
import { ClusterLink } from './cluster-link.js';
import { readClient } from './given-client.js';
import { listenForErrors, type NodeRedisClient, type ServerClient } from './node-redis.js';
import { ownClient } from './own-client.js';
import type { RedisLink, RedisLinkOptions } from './redis-link.js';
import { checkUrl } from './redis-url.js';
import { SentinelLink } from './sentinel-link.js';
import { ServerLink } from './server-link.js';

/** How Redis is reached. */
export type RedisConnection =
  | {
      /** `redis://` or, with TLS, `rediss://`; user, password (percent-encoded), port and database may follow. */
      readonly url: string;
      readonly client?: never;
    }
  | {
      /**
       * A client, cluster or sentinel of node-redis 4, 5 or 6, or a store of cache-manager-redis-yet. Its options are
       * taken, in connections of our own; it is never closed, and gets no more than an `error` listener.
       */
      readonly client: NodeRedisClient;
      readonly url?: never;
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
  if (url !== undefined) {
    checkUrl(url);
    return new ServerLink(() => dialUrl(url), options);
  }
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

/** Loaded when it is needed: who keeps everything in memory never loads a Redis client. */
async function dialUrl(url: string): Promise<ServerClient> {
  const { createClient } = await import('@redis/client');
  return ownClient(createClient({ url }) as unknown as ServerClient);
}
