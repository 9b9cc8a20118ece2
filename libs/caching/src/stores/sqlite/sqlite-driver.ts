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
  return isOneOf(error, { BUSY: 5, LOCKED: 6 });
}

/** Whether the file is no database, or not whole: it stays so. */
export function isDamaged(error: unknown): boolean {
  return isOneOf(error, { CORRUPT: 11, NOTADB: 26 });
}

/** @param codes of SQLite, by their names */
function isOneOf(error: unknown, codes: Readonly<Record<string, number>>): boolean {
  if (!(error instanceof Error)) return false;
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  // node:sqlite has SQLite's number, in whose lowest byte the kind is; the others have its name, which may go on.
  if (typeof errcode === 'number') return Object.values(codes).includes(errcode & 0xff);
  const name = typeof code === 'string' ? /^SQLITE_([A-Z]+)/.exec(code)?.[1] : undefined;
  return name !== undefined && Object.hasOwn(codes, name);
}
