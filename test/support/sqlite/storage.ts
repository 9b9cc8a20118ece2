import Libsql from 'libsql';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOf } from '../../../libs/caching/src/stores/digest.js';
import { sqlite, type SqliteStoreOptions } from '../../../libs/caching/src/stores/sqlite/sqlite.store.js';
import type { SharedTierUnderTest } from '../../../libs/caching/src/testing.js';

/** A file in a folder of its own, and a way to it past the store. */
export class SqliteStorage implements SharedTierUnderTest {
  readonly folder = mkdtempSync(join(tmpdir(), 'nestjs-caching-sqlite-'));
  readonly file = join(this.folder, 'cache.sqlite');

  constructor(private readonly options: Partial<SqliteStoreOptions> = {}) {}

  connect() {
    return sqlite({ file: this.file, driver: 'libsql', ...this.options });
  }

  bytes(namespace: string) {
    const at = [namespace, 'view'] as const;
    const where = 'WHERE namespace = ? AND kind = ? AND name = ?';
    return {
      read: async (key: string) => {
        const [row] = this.query(`SELECT bytes FROM records ${where}`, ...at, digestOf(key));
        return row?.['bytes'] as Buffer | undefined;
      },
      write: async (key: string, bytes: Buffer) => {
        this.query(`UPDATE records SET bytes = ? ${where}`, bytes, ...at, digestOf(key));
      },
    };
  }

  async loseSequence(namespace: string): Promise<void> {
    this.query('DELETE FROM states WHERE namespace = ?', namespace);
  }

  /** One statement on a connection of its own. */
  query(sql: string, ...values: unknown[]): Record<string, unknown>[] {
    const database = new Libsql(this.file);
    try {
      database.pragma('busy_timeout = 2000');
      const statement = database.prepare(sql);
      if (statement.reader) return statement.all(...values) as Record<string, unknown>[];
      statement.run(...values);
      return [];
    } finally {
      database.close();
    }
  }

  async close(): Promise<void> {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
