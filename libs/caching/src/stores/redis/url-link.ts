import { createRequire } from 'node:module';
import type { RedisClientOptions } from '@redis/client';
import { ClusterLink } from './cluster-link.js';
import type { ClusterClient, SentinelClient, ServerClient } from './node-redis.js';
import { ownClient } from './own-client.js';
import type { RedisLink, RedisLinkOptions } from './redis-link.js';
import type { RedisTarget } from './redis-url.js';
import { SentinelLink } from './sentinel-link.js';
import { ServerLink } from './server-link.js';

/**
 * What node-redis may be told beside a URL, which wins: credentials, the database, a name, and a socket's options (of
 * TLS: `ca`, `cert`, `key`, `servername`, …). When to connect again and what to queue is decided here.
 */
export type RedisClientSettings = Pick<
  RedisClientOptions,
  | 'username'
  | 'password'
  | 'database'
  | 'name'
  | 'credentialsProvider'
  | 'clientInfoTag'
  | 'disableClientInfo'
> & {
  /** Of `net.connect` and `tls.connect`. Whether TLS is used, the URL says. */
  readonly socket?: Readonly<Record<string, unknown>>;
};

/** Beside a URL. */
export interface UrlSettings {
  readonly clientOptions?: RedisClientSettings | undefined;
  readonly sentinelOptions?: RedisClientSettings | undefined;
}

/** node-redis is loaded when it is needed: who keeps everything in memory never loads it. */
const load = () => createRequire(import.meta.url)('@redis/client') as typeof import('@redis/client');

/** The link to where a URL leads. Nothing is opened before `open()`. */
export function createUrlLink(
  target: RedisTarget,
  settings: UrlSettings,
  options: RedisLinkOptions,
): RedisLink {
  const { kind, nodes, name = '' } = target;
  const client = clientOptions(target, settings.clientOptions);
  switch (kind) {
    case 'server':
      return new ServerLink(() => ownClient(load().createClient(client) as unknown as ServerClient), options);
    case 'cluster': {
      const rootNodes = nodes.map((node) => ({ socket: { ...node } }));
      const cluster = load().createCluster({ rootNodes, defaults: client });
      return new ClusterLink(cluster as unknown as ClusterClient, options);
    }
    case 'sentinel': {
      const { database: _, ...sentinelClientOptions } = clientOptions(
        { tls: target.tls },
        settings.sentinelOptions,
      );
      const duplicate = () =>
        load().createSentinel({
          name,
          sentinelRootNodes: [...nodes],
          nodeClientOptions: client as never,
          sentinelClientOptions: sentinelClientOptions as never,
        }) as unknown as SentinelClient;
      // Its own can't duplicate itself with this major of node-redis.
      return new SentinelLink(Object.assign(duplicate(), { duplicate }), options);
    }
  }
}

function clientOptions(
  { kind, nodes, path, tls, username, password, database }: Partial<RedisTarget>,
  { socket, ...given }: RedisClientSettings = {},
): RedisClientOptions {
  const [server] = kind === 'server' ? (nodes ?? []) : [];
  const hasCredentials = username !== undefined || password !== undefined;
  return {
    ...given,
    // A provider that is given would win over the URL.
    ...(hasCredentials && { credentialsProvider: undefined, username, password }),
    ...(database !== undefined && { database }),
    socket: { ...socket, ...server, ...(path !== undefined && { path }), tls },
  } as RedisClientOptions;
}
