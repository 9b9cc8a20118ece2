import {
  createClient as createClient5,
  createCluster as createCluster5,
  createSentinel as createSentinel5,
} from '@redis/client';
import { redisClusterInsStore, redisClusterStore, redisInsStore, redisStore } from 'cache-manager-redis-yet';
import { createClient as createClient4, createCluster as createCluster4 } from 'redis';
import {
  createClient as createClient6,
  createCluster as createCluster6,
  createSentinel as createSentinel6,
} from 'redis-6';

type Client4 = ReturnType<typeof createClient4>;
type Cluster4 = ReturnType<typeof createCluster4>;

// What the package asks for lacks the modules that `redis` adds to each client it makes: only the types differ.
type Client4OfStore = Parameters<typeof redisInsStore>[0];
type Cluster4OfStore = Parameters<typeof redisClusterInsStore>[0];

/** What clients of all kinds have in common. */
export interface AnyClient {
  readonly isOpen: boolean;
  get(key: string): Promise<unknown>;
  set(key: string, value: string): Promise<unknown>;
}

/** A client under test, as an application would hand it over. */
export interface OpenClient<Client = AnyClient> {
  readonly client: Client;
  /** Settles when the first attempt to connect has ended; it never rejects. */
  readonly connected: Promise<void>;
  /** Ends its connections, also while the server is away or silent. */
  readonly close: () => Promise<void>;
}

/** What makes clients of one kind. */
export interface ClientKind<Target> {
  /** For titles, as in `redisStore` or `node-redis 5`. */
  readonly name: string;
  /** Of node-redis. */
  readonly major: 4 | 5 | 6;
  /**
   * Connects without waiting for it and with an `error` listener, as an application must that starts while Redis is
   * away. `redisStore` and `redisClusterStore` can't: they wait, reject where Redis is away, and attach no listener.
   */
  readonly open: (target: Target) => Promise<OpenClient>;
}

/** Addresses of a cluster's nodes, as `RedisCluster` has them. */
export interface ClusterTarget {
  readonly urls: readonly string[];
}

/** Sentinels and the master's name, as `SentinelGroup` has them. */
export interface SentinelTarget {
  readonly name: string;
  readonly rootNodes: readonly { readonly host: string; readonly port: number }[];
}

interface Connecting extends AnyClient {
  on(event: 'error', listener: (error: Error) => void): unknown;
  connect(): Promise<unknown>;
}

function connecting<Client extends Connecting>(
  client: Client,
  end: (client: Client) => unknown,
): OpenClient<Client> {
  client.on('error', () => undefined);
  const connected = client.connect().then(ignore, ignore);
  return { client, connected, close: closer(client, end) };
}

function closer<Client extends { readonly isOpen: boolean }>(
  client: Client,
  end: (client: Client) => unknown,
) {
  return async (): Promise<void> => {
    // Ending a client twice is an error to node-redis; a test may have done it.
    if (client.isOpen) await end(client);
  };
}

function ignore(): void {
  // Both outcomes are what a test is about to look at.
}

const disconnect = (client: Client4 | Cluster4): Promise<void> => client.disconnect();
const destroy = (client: { destroy(): unknown }): unknown => client.destroy();
const nodes = (urls: readonly string[]) => urls.map((url) => ({ url }));

/** Of a standalone Redis, by its address; also of a proxy before one. */
export const SINGLE_CLIENTS: readonly ClientKind<string>[] = [
  {
    name: 'redisStore',
    major: 4,
    open: async (url) => {
      const { client } = await redisStore({ url });
      return { client, connected: Promise.resolve(), close: closer(client, (each) => each.disconnect()) };
    },
  },
  {
    name: 'redisInsStore',
    major: 4,
    open: async (url) => {
      const open = connecting(createClient4({ url }), disconnect);
      return { ...open, client: redisInsStore(open.client as unknown as Client4OfStore).client };
    },
  },
  { name: 'node-redis 5', major: 5, open: async (url) => connecting(createClient5({ url }), destroy) },
  { name: 'node-redis 6', major: 6, open: async (url) => connecting(createClient6({ url }), destroy) },
];

/** Of a Redis Cluster. */
export const CLUSTER_CLIENTS: readonly ClientKind<ClusterTarget>[] = [
  {
    name: 'redisClusterStore',
    major: 4,
    open: async ({ urls }) => {
      const { client } = await redisClusterStore({ rootNodes: nodes(urls) });
      return { client, connected: Promise.resolve(), close: closer(client, (each) => each.disconnect()) };
    },
  },
  {
    name: 'redisClusterInsStore',
    major: 4,
    open: async ({ urls }) => {
      const options = { rootNodes: nodes(urls) };
      const open = connecting(createCluster4(options), disconnect);
      return {
        ...open,
        client: redisClusterInsStore(open.client as unknown as Cluster4OfStore, options).client,
      };
    },
  },
  {
    name: 'node-redis 5',
    major: 5,
    open: async ({ urls }) => connecting(createCluster5({ rootNodes: nodes(urls) }), destroy),
  },
  {
    name: 'node-redis 6',
    major: 6,
    open: async ({ urls }) => connecting(createCluster6({ rootNodes: nodes(urls) }), destroy),
  },
];

/** Of a group under sentinels; node-redis 4 has none. */
export const SENTINEL_CLIENTS: readonly ClientKind<SentinelTarget>[] = [
  {
    name: 'node-redis 5',
    major: 5,
    open: async ({ name, rootNodes }) =>
      connecting(createSentinel5({ name, sentinelRootNodes: [...rootNodes] }), destroy),
  },
  {
    name: 'node-redis 6',
    major: 6,
    open: async ({ name, rootNodes }) =>
      connecting(createSentinel6({ name, sentinelRootNodes: [...rootNodes] }), destroy),
  },
];
