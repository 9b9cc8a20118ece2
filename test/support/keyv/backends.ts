import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KeyvMemcache } from '@keyv/memcache';
import { KeyvPostgres } from '@keyv/postgres';
import { KeyvSqlite } from '@keyv/sqlite';
import type { KeyvAdapter } from '../../../libs/caching/src/stores/keyv/keyv-adapter.js';
import { startMemcached } from './memcached.js';
import { startPostgres } from './postgres.js';

/** What keeps records while processes come and go. */
export interface Backend {
  /** An adapter of its own for each life. */
  connect(): KeyvAdapter;
  close(): Promise<void>;
}

export const BACKENDS: readonly { readonly name: string; readonly start: () => Promise<Backend> }[] = [
  { name: 'SQLite', start: startSqlite },
  { name: 'Memcached', start: startMemcachedBackend },
  { name: 'PostgreSQL', start: startPostgresBackend },
];

/** A database file with `path`, and connections to it. */
export async function startSqlite(): Promise<Backend & { readonly path: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'nestjs-caching-sqlite-'));
  const path = join(folder, 'cache.sqlite');
  const opened: KeyvSqlite[] = [];
  return {
    path,
    connect: () => {
      const adapter = new KeyvSqlite({ uri: `sqlite://${path}`, busyTimeout: 5_000 });
      opened.push(adapter);
      return adapter;
    },
    close: async () => {
      for (const adapter of opened) await adapter.disconnect();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function startMemcachedBackend(): Promise<Backend> {
  const server = await startMemcached();
  const opened: KeyvMemcache[] = [];
  return {
    connect: () => {
      const adapter = new KeyvMemcache(server.address, { logger: { log: () => undefined } });
      opened.push(adapter);
      return adapter;
    },
    close: async () => {
      for (const { client } of opened) client.close();
      await server.close();
    },
  };
}

async function startPostgresBackend(): Promise<Backend> {
  const server = await startPostgres();
  let adapter: KeyvPostgres | undefined;
  return {
    connect: () => (adapter = new KeyvPostgres({ uri: server.uri, max: 1 })),
    close: async () => {
      // All adapters of one address share a pool.
      await adapter?.disconnect();
      await server.close();
    },
  };
}
