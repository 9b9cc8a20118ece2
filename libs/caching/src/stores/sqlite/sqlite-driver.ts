import { createRequire } from 'node:module';
import { CachingConfigError } from '../../caching.errors.js';

/** What a statement is given and gives back: numbers, texts and bytes. */
export type SqlValue = number | string | Uint8Array | null;

/** What better-sqlite3, libsql and node:sqlite have in common: all of them answer at once. */
export interface SqliteStatement {
  run(...values: SqlValue[]): { readonly changes: number | bigint };
  get(...values: SqlValue[]): unknown;
  all(...values: SqlValue[]): unknown[];
}

export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
  close(): unknown;
}

export type OpenDatabase = (file: string) => SqliteDatabase;

/** A driver of SQLite. `node:sqlite` is in Node 22.13 and later. */
export type SqliteDriver = 'better-sqlite3' | 'libsql' | 'node:sqlite';

/** In the order in which they are looked for. */
export const DRIVERS: readonly SqliteDriver[] = ['better-sqlite3', 'libsql', 'node:sqlite'];

const ALLOWED =
  'a driver of SQLite that can be loaded: npm install better-sqlite3, or npm install libsql, or Node 22.13';

/**
 * Loads a driver: the one that is named, or the first that is there.
 *
 * @param load for tests; default: as `require` of this file
 * @throws CachingConfigError which says what to install
 */
export function loadDriver(
  name?: SqliteDriver,
  load: (specifier: string) => unknown = createRequire(import.meta.url),
): OpenDatabase {
  let cause: unknown;
  for (const each of name === undefined ? DRIVERS : [name]) {
    try {
      return openerOf(each, load(each));
    } catch (error) {
      cause ??= error;
    }
  }
  const problem = new CachingConfigError('driver', name ?? 'none that is installed', ALLOWED, 'sqlite()');
  problem.cause = cause;
  throw problem;
}

type DatabaseClass = new (file: string) => SqliteDatabase;

function openerOf(name: SqliteDriver, module: unknown): OpenDatabase {
  const Database =
    name === 'node:sqlite'
      ? (module as { DatabaseSync: DatabaseClass }).DatabaseSync
      : (module as DatabaseClass);
  // better-sqlite3 looks for its binary when the first database is made.
  new Database(':memory:').close();
  return (file) => new Database(file);
}

/** Whether somebody else is writing: the same may succeed in a moment. */
export function isBusy(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  // node:sqlite has SQLite's number, in whose lowest byte the kind is: 5 is SQLITE_BUSY, 6 is SQLITE_LOCKED.
  if (typeof errcode === 'number') return (errcode & 0xff) === 5 || (errcode & 0xff) === 6;
  return typeof code === 'string' && /^SQLITE_(?:BUSY|LOCKED)/.test(code);
}
