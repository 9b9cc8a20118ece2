import { RECORD_OVERHEAD, type SqliteFile } from './sqlite-file.js';

/** Records that are removed at once, as others wait meanwhile. */
const SLICE = 200;

/** Pages of 4 KB that one clean-up gives back. */
const PAGES = 2_000;

export type RecordKind = 'view' | 'value';

export interface RecordBounds {
  readonly maxBytes: number;
  readonly maxEntries: number;
}

const FIND = 'SELECT bytes FROM records WHERE namespace = ? AND kind = ? AND name = ? AND expires > ?';
const REMOVE = 'DELETE FROM records WHERE namespace = ? AND kind = ? AND name = ?';
const ADD = 'INSERT INTO records (namespace, kind, name, bytes, size, expires) VALUES (?, ?, ?, ?, ?, ?)';
const EXPIRED = 'DELETE FROM records WHERE id IN (SELECT id FROM records WHERE expires <= ? LIMIT ?)';
const OLDEST = 'DELETE FROM records WHERE id IN (SELECT id FROM records ORDER BY id LIMIT ?)';
const ALL =
  'DELETE FROM records WHERE id IN (SELECT id FROM records WHERE namespace = ? AND kind = ? LIMIT ?)';
const TOTALS = 'SELECT entries, bytes FROM totals';

/** Views and values in the file. All but `find` run inside of a transaction. */
export class SqliteRecords {
  constructor(
    private readonly namespace: string,
    private readonly bounds: RecordBounds,
  ) {}

  find(file: SqliteFile, kind: RecordKind, name: string, now: number): Buffer | undefined {
    return bytesOf(file.statement(FIND).get(this.namespace, kind, name, now));
  }

  /** Stores in the place of what is there, as the newest. Where there is no room the oldest of all go. */
  put(file: SqliteFile, kind: RecordKind, name: string, bytes: Uint8Array, expires: number): void {
    const size = bytes.length + name.length + RECORD_OVERHEAD;
    file.statement(REMOVE).run(this.namespace, kind, name);
    // One that would push out everything else and itself.
    if (size > this.bounds.maxBytes) return;
    file.statement(ADD).run(this.namespace, kind, name, bytes, size, expires);
    this.#makeRoom(file);
  }

  remove(file: SqliteFile, kind: RecordKind, name: string): boolean {
    return Number(file.statement(REMOVE).run(this.namespace, kind, name).changes) > 0;
  }

  /** Removes some of a kind; tells whether there may be more. */
  clearSome(file: SqliteFile, kind: RecordKind): boolean {
    return Number(file.statement(ALL).run(this.namespace, kind, SLICE).changes) >= SLICE;
  }

  /** Removes some whose time is over, of all namespaces; tells whether there may be more. */
  pruneSome(file: SqliteFile, now: number): boolean {
    return Number(file.statement(EXPIRED).run(now, SLICE).changes) >= SLICE;
  }

  /** Outside of a transaction. */
  shrink(file: SqliteFile): void {
    file.shrink(PAGES);
  }

  #makeRoom(file: SqliteFile): void {
    const { maxBytes, maxEntries } = this.bounds;
    for (;;) {
      const { entries, bytes } = file.statement(TOTALS).get() as { entries: number; bytes: number };
      const excess = Math.max(entries - maxEntries, bytes > maxBytes ? 1 : 0);
      if (excess <= 0) return;
      if (Number(file.statement(OLDEST).run(Math.min(excess, SLICE)).changes) === 0) return;
    }
  }
}

/** Others may have put anything there. */
export function bytesOf(row: unknown): Buffer | undefined {
  const bytes: unknown = (row as { bytes?: unknown } | undefined)?.bytes;
  if (!(bytes instanceof Uint8Array)) return undefined;
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
