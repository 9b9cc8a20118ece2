import type { Clock } from '../../cache/clock.js';
import { digestOf } from '../digest.js';
import type { ValueStorage } from '../shared-tier.js';
import type { SqliteFile } from './sqlite-file.js';
import type { SqliteRecords } from './sqlite-records.js';
import type { WriteQueue } from './write-queue.js';

/** A longer name goes by its digest. */
const MAX_NAME = 512;

export interface SqliteValuesHost {
  readonly file: () => SqliteFile;
  readonly records: SqliteRecords;
  readonly writes: WriteQueue;
  readonly clock: Clock;
}

/** Plain values in the file. */
export class SqliteValues implements ValueStorage {
  constructor(private readonly host: SqliteValuesHost) {}

  async get(key: string): Promise<string | undefined> {
    const { file, records, clock } = this.host;
    return records.find(file(), 'value', nameOf(key), clock.now())?.toString();
  }

  async set(key: string, value: string, life: number): Promise<void> {
    const { records, writes, clock } = this.host;
    const expires = clock.now() + Math.ceil(life);
    await writes.add((file) => records.put(file, 'value', nameOf(key), Buffer.from(value), expires));
  }

  async delete(key: string): Promise<boolean> {
    const { records, writes, clock } = this.host;
    const name = nameOf(key);
    return writes.add((file) => {
      const wasThere = records.find(file, 'value', name, clock.now()) !== undefined;
      records.remove(file, 'value', name);
      return wasThere;
    });
  }

  async has(key: string): Promise<boolean> {
    return (await this.get(key)) !== undefined;
  }

  async clear(): Promise<void> {
    const { records, writes } = this.host;
    while (await writes.add((file) => records.clearSome(file, 'value')));
  }
}

/** Readable, as people look for values by hand. In JSON, as SQLite's texts are UTF-8 and end with a NUL. */
function nameOf(key: string): string {
  return key.length <= MAX_NAME && !key.startsWith('#') ? JSON.stringify(key) : `#${digestOf(key)}`;
}
