import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CachingModuleOptions } from 'nestjs-caching';
import { keyv, redis, sqlite } from 'nestjs-caching';
import { type RunningApplication, startApplication } from '../application.js';
import { startSqlite } from '../keyv/backends.js';
import { startOnRedis } from '../redis/applications.js';
import { CLUSTER_CLIENTS, SINGLE_CLIENTS } from '../redis/clients.js';
import { startCluster } from '../redis/redis-cluster.js';
import { startRedis } from '../redis/redis-server.js';

/** Where values may lie, with what takes it away again. */
export interface ValueStore {
  readonly start: (caching?: CachingModuleOptions) => Promise<RunningApplication>;
  /** Whether several applications, started with it, share what they store. */
  readonly isShared: boolean;
  /** `false`: clearing `CACHE_MANAGER` takes values along. */
  readonly isApart?: boolean;
  readonly close: () => Promise<void>;
}

export interface ValueStoreKind {
  readonly name: string;
  readonly open: () => Promise<ValueStore>;
}

const single = SINGLE_CLIENTS.map(({ name, open }) => ({
  name: `Redis by ${name}`,
  open: async (): Promise<ValueStore> => {
    const server = await startRedis();
    const client = await open(server.url);
    await client.connected;
    return {
      isShared: true,
      start: (caching) =>
        startOnRedis('fastify', server.url, {
          caching: { store: redis({ client: client.client as never }), ...caching },
        }),
      close: async () => {
        await client.close();
        await server.close();
      },
    };
  },
}));

const clusters = CLUSTER_CLIENTS.filter(({ major }) => major === 5).map(({ name, open }) => ({
  name: `a Redis Cluster by ${name}`,
  open: async (): Promise<ValueStore> => {
    const cluster = await startCluster({ replicasPerMaster: 0 });
    const client = await open(cluster);
    await client.connected;
    return {
      isShared: true,
      start: (caching) =>
        startOnRedis('fastify', '', {
          caching: { store: redis({ client: client.client as never }), storeTimeout: '2s', ...caching },
        }),
      close: async () => {
        await client.close();
        await cluster.close();
      },
    };
  },
}));

/** Every store that values can lie in. */
export const VALUE_STORES: readonly ValueStoreKind[] = [
  {
    name: 'memory',
    open: async () => ({
      isShared: false,
      start: (caching = {}) => startApplication('fastify', { caching }),
      close: async () => undefined,
    }),
  },
  ...single,
  ...clusters,
  {
    name: 'sqlite',
    open: async () => {
      const folder = await mkdtemp(join(tmpdir(), 'nestjs-caching-values-'));
      return {
        isApart: false,
        isShared: false,
        start: (caching) =>
          startApplication('fastify', {
            realTime: true,
            caching: {
              store: sqlite({ file: join(folder, 'cache.sqlite') }),
              storeTimeout: '5s',
              ...caching,
            },
          }),
        close: () => rm(folder, { recursive: true, force: true }),
      };
    },
  },
  {
    name: 'keyv on SQLite',
    open: async () => {
      const backend = await startSqlite();
      return {
        isShared: false,
        start: (caching) =>
          startApplication('fastify', {
            realTime: true,
            caching: { store: keyv(backend.connect()), storeTimeout: '5s', ...caching },
          }),
        close: () => backend.close(),
      };
    },
  },
];
