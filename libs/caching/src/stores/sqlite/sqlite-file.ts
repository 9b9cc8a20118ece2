import { closeSync, existsSync, mkdirSync, openSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  isBusy,
  isDamaged,
  type OpenDatabase,
  type SqliteDatabase,
  type SqliteStatement,
  type SqlValue,
} from './sqlite-driver.js';

/** "NCVS": what says that a database is this module's. */
const APPLICATION = 0x4e435653;

/** Of the tables. Files of another format are not touched. */
const FORMAT = 1;

/** How long the first steps wait for other processes that make the same file, in milliseconds. */
const OPENING = 2_000;

/** What a record takes beside its bytes and its name, about. Bytes. */
export const RECORD_OVERHEAD = 128;

/*
 * `records` are views and values; the order of `id` is that of their storing. `totals` is kept by triggers, so that
 * nobody has to count. A namespace's sequence of evictions is its row of `states` and its `stamps`; `at` and `life` say
 * which of them can't matter any more. Texts that clients or applications choose are in JSON, as SQLite's own are UTF-8.
 */
const SCHEMA = `
CREATE TABLE IF NOT EXISTS records (
  id INTEGER PRIMARY KEY, namespace TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
  bytes BLOB NOT NULL, size INTEGER NOT NULL, expires INTEGER NOT NULL, UNIQUE (namespace, kind, name));
CREATE INDEX IF NOT EXISTS records_expires ON records (expires);
CREATE TABLE IF NOT EXISTS totals (id INTEGER PRIMARY KEY CHECK (id = 1), entries INTEGER NOT NULL, bytes INTEGER NOT NULL);
INSERT OR IGNORE INTO totals VALUES (1, 0, 0);
CREATE TRIGGER IF NOT EXISTS records_added AFTER INSERT ON records BEGIN
  UPDATE totals SET entries = entries + 1, bytes = bytes + new.size; END;
CREATE TRIGGER IF NOT EXISTS records_removed AFTER DELETE ON records BEGIN
  UPDATE totals SET entries = entries - 1, bytes = bytes - old.size; END;
CREATE TABLE IF NOT EXISTS states (
  namespace TEXT PRIMARY KEY, epoch TEXT NOT NULL, n INTEGER NOT NULL, floor INTEGER NOT NULL, life INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS stamps (
  id INTEGER PRIMARY KEY, namespace TEXT NOT NULL, tag TEXT NOT NULL, n INTEGER NOT NULL, at INTEGER NOT NULL,
  UNIQUE (namespace, tag));
CREATE INDEX IF NOT EXISTS stamps_n ON stamps (namespace, n);
CREATE TABLE IF NOT EXISTS leases (
  namespace TEXT NOT NULL, name TEXT NOT NULL, token TEXT NOT NULL, expires INTEGER NOT NULL,
  PRIMARY KEY (namespace, name));
`;

/** One connection to the file of a cache. */
export class SqliteFile {
  readonly #database: SqliteDatabase;
  readonly #place: string;
  readonly #placeOfLog: string;
  readonly #statements = new Map<string, SqliteStatement>();
  #isDurable = false;

  /**
   * @param onDamage told each time that the file turns out to be damaged
   * @throws Error where the file can't be opened, or is somebody else's
   */
  constructor(
    private readonly file: string,
    open: OpenDatabase,
    private readonly onDamage: () => void = () => undefined,
  ) {
    makePrivate(file);
    // Before it is opened: should it be replaced in between, it is left and opened again.
    this.#place = placeOf(file);
    this.#database = open(file);
    try {
      this.#setUp();
    } catch (error) {
      this.#database.close();
      if (isDamaged(error)) onDamage();
      throw error;
    }
    this.#placeOfLog = placeOf(logOf(file));
  }

  /** A statement by its text, prepared once. */
  statement(sql: string): SqliteStatement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = new WatchedStatement(this.#database.prepare(sql), this.onDamage);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** Somebody has removed or replaced it, or its log: others don't see what is written there. */
  get isGone(): boolean {
    return placeOf(this.file) !== this.#place || placeOf(logOf(this.file)) !== this.#placeOfLog;
  }

  /** Another number each time that another connection has written. */
  get version(): number {
    return (this.statement('PRAGMA data_version').get() as { data_version: number }).data_version;
  }

  /**
   * Does something in one transaction, for which it waits for nobody.
   *
   * @param isDurable whether what it writes must outlive a loss of power, which costs a write to the disk
   * @throws what `task` throws, and where another process writes an error that `isBusy`
   */
  transact(task: () => void, isDurable: boolean): void {
    if (isDurable !== this.#isDurable) {
      this.#database.exec(`PRAGMA synchronous = ${isDurable ? 'FULL' : 'NORMAL'}`);
      this.#isDurable = isDurable;
    }
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      task();
      this.#database.exec('COMMIT');
    } catch (error) {
      this.#rollBack();
      throw error;
    }
  }

  /** Gives pages that are not needed back to the file system. */
  shrink(pages: number): void {
    this.#database.exec(`PRAGMA incremental_vacuum(${pages})`);
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }

  #setUp(): void {
    const database = this.#database;
    database.exec(`PRAGMA busy_timeout = ${OPENING}`);
    const [application, format] = ['application_id', 'user_version'].map(
      (name) => (database.prepare(`PRAGMA ${name}`).get() as Record<string, number>)[name],
    );
    const { count } = database.prepare('SELECT count(*) AS count FROM sqlite_master').get() as {
      count: number;
    };
    if (count > 0 && application !== APPLICATION)
      throw new Error('the file is the database of something else');
    if (count > 0 && format !== FORMAT) throw new Error('the file was made by another release: remove it');
    // Only before there is a table.
    database.exec('PRAGMA auto_vacuum = INCREMENTAL');
    this.#useWriteAheadLog();
    database.exec('PRAGMA journal_size_limit = 16777216');
    database.exec('BEGIN IMMEDIATE');
    try {
      database.exec(SCHEMA);
      database.exec(`PRAGMA application_id = ${APPLICATION}`);
      database.exec(`PRAGMA user_version = ${FORMAT}`);
      database.exec('COMMIT');
    } catch (error) {
      this.#rollBack();
      throw error;
    }
    // From now on nobody waits in a call: whoever finds the file locked tries again later.
    database.exec('PRAGMA busy_timeout = 0; PRAGMA synchronous = NORMAL');
  }

  /** Several processes that turn it on at once don't wait for each other here, whatever `busy_timeout` says. */
  #useWriteAheadLog(): void {
    const giveUp = performance.now() + OPENING;
    for (;;) {
      try {
        this.#database.exec('PRAGMA journal_mode = WAL');
        return;
      } catch (error) {
        if (!isBusy(error) || performance.now() > giveUp) throw error;
      }
    }
  }

  /** SQLite has rolled back by itself after some errors, such as a full disk. */
  #rollBack(): void {
    try {
      this.#database.exec('ROLLBACK');
    } catch (error) {
      if (!(error instanceof Error) || !error.message.includes('no transaction')) throw error;
    }
  }
}

/** Tells where it finds the file damaged, whoever asks. */
class WatchedStatement implements SqliteStatement {
  constructor(
    private readonly statement: SqliteStatement,
    private readonly onDamage: () => void,
  ) {}

  run(...values: SqlValue[]): { readonly changes: number | bigint } {
    return this.#watch(() => this.statement.run(...values));
  }

  get(...values: SqlValue[]): unknown {
    return this.#watch(() => this.statement.get(...values));
  }

  all(...values: SqlValue[]): unknown[] {
    return this.#watch(() => this.statement.all(...values));
  }

  #watch<T>(task: () => T): T {
    try {
      return task();
    } catch (error) {
      if (isDamaged(error)) this.onDamage();
      throw error;
    }
  }
}

/** Part of the database while anybody has it open; the last who closes it removes it. */
function logOf(file: string): string {
  return `${file}-wal`;
}

function placeOf(file: string): string {
  const stats = statSync(file, { throwIfNoEntry: false });
  return stats === undefined ? 'nowhere' : `${stats.dev}:${stats.ino}`;
}

/** Whether whoever has an account on the machine can read it, or write to it: somebody has made it so. */
export function isOpenToAll(file: string): boolean {
  return process.platform !== 'win32' && (statSync(file).mode & 0o006) !== 0;
}

/**
 * Responses may be for one person only: the file is its owner's. Its companions get its mode from it. One that is there
 * is not opened here, as closing it would end the locks that this process has on it.
 */
function makePrivate(file: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  try {
    closeSync(openSync(file, 'ax', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    // A link that leads nowhere yet.
    if (!existsSync(file)) closeSync(openSync(file, 'a', 0o600));
    return;
  }
  // Of one that was removed: whoever still uses them leaves as it sees that.
  for (const each of [`${file}-shm`, logOf(file)]) rmSync(each, { force: true });
}
