import { rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import Libsql from 'libsql';
import { startRedis } from '../redis/redis-server.js';
import { SqliteStorage } from '../sqlite/storage.js';

/** What processes share, and what may happen to it. */
export interface ProcessStorage extends AsyncDisposable {
  /** As in `storeFromUrl`. */
  readonly url: string;
  /** Something happens to it, and is over when this resolves, in about so many milliseconds. */
  trouble(milliseconds: number): Promise<void>;
}

/** A Redis that is killed, and started again. */
export async function redisStorage(): Promise<ProcessStorage> {
  const redis = await startRedis({ appendonly: true });
  return {
    url: redis.url,
    trouble: async (milliseconds) => {
      await redis.kill();
      await delay(milliseconds);
      await redis.restart();
    },
    [Symbol.asyncDispose]: () => redis[Symbol.asyncDispose](),
  };
}

/** A file of `sqlite()` that somebody removes, with its companions, without them and before them, or locks: in turn. */
export async function fileStorage(): Promise<ProcessStorage> {
  const storage = new SqliteStorage();
  const remove = (...ends: string[]): void => {
    for (const end of ends) rmSync(storage.file + end, { force: true });
  };
  const troubles: ((milliseconds: number) => unknown)[] = [
    () => remove('-wal', '-shm', ''),
    (milliseconds) => lock(storage.file, milliseconds),
    () => remove(''),
    () => remove('', '-wal', '-shm'),
  ];
  let count = 0;
  return {
    url: `sqlite:${storage.file}`,
    trouble: async (milliseconds) => {
      await troubles[count++ % troubles.length]?.(milliseconds);
    },
    [Symbol.asyncDispose]: () => storage.close(),
  };
}

async function lock(file: string, milliseconds: number): Promise<void> {
  const database = new Libsql(file);
  try {
    database.pragma('busy_timeout = 2000');
    database.exec('BEGIN IMMEDIATE');
    await delay(milliseconds);
    database.exec('ROLLBACK');
  } finally {
    database.close();
  }
}
