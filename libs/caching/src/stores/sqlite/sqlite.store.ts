import { resolve } from 'node:path';
import type { StampDelta } from '../../cache/shared-log.js';
import type { StampPosition } from '../../cache/stamps.js';
import { CachingConfigError } from '../../caching.errors.js';
import { checkNames } from '../../check-names.js';
import { digestOf } from '../digest.js';
import { kindOf } from '../kind-of.js';
import type { Lease, SharedLookup, SharedTier, SharedTierHost } from '../shared-tier.js';
import { damaged, OPEN_TO_ALL } from './sqlite-caveats.js';
import { DRIVERS, isBusy, loadDriver, type OpenDatabase, type SqliteDriver } from './sqlite-driver.js';
import { isOpenToAll, SqliteFile } from './sqlite-file.js';
import { SqliteLeases } from './sqlite-leases.js';
import { SqliteRecords } from './sqlite-records.js';
import { SqliteSequence } from './sqlite-sequence.js';
import { SqliteValues } from './sqlite-values.js';
import { SqliteWatch } from './sqlite-watch.js';
import { WriteQueue } from './write-queue.js';

/** A file that responses are kept in, and its bounds. */
export interface SqliteStoreOptions {
  /** Path of the file; its folder is made where it is missing. On a disk of this machine: not on a network's. */
  readonly file: string;
  /** What all responses and values in the file may take together, in bytes. Default 256 MiB. */
  readonly maxBytes?: number;
  /** How many there may be in the file. Default 100,000. */
  readonly maxEntries?: number;
  /** Which driver. Default: the first that is installed of better-sqlite3, libsql and node:sqlite. */
  readonly driver?: SqliteDriver;
}

export const SQLITE_DEFAULTS = { maxBytes: 256 * 1_024 * 1_024, maxEntries: 100_000 } as const;

/** A stamp is kept for longer than an entry lives, as an entry's life begins when its handler has ended. */
const LONGEST_FILL = 10 * 60_000;

/** Milliseconds between two removals of what has expired. */
const PRUNE_EVERY = 60_000;

/** Milliseconds between two attempts to open a file that can't be opened. */
const OPEN_EVERY = 1_000;

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

interface OpenTier {
  readonly host: SharedTierHost;
  readonly writes: WriteQueue;
  readonly records: SqliteRecords;
  readonly sequence: SqliteSequence;
  readonly values: SqliteValues;
  readonly leases: SqliteLeases;
  readonly watch: SqliteWatch;
  cancelPrune: () => void;
}

/**
 * Views, values and evictions in a SQLite file, for the processes of one machine: what was stored is there after a
 * restart, and so is what was evicted; it is on the disk before it is acknowledged.
 *
 * Made with `sqlite()`; one of them serves one application.
 */
export class SqliteTier implements SharedTier {
  readonly name = 'sqlite';
  readonly #path: string;
  readonly #bounds: { readonly maxBytes: number; readonly maxEntries: number };
  readonly #openDatabase: OpenDatabase;
  #opened: OpenTier | undefined;
  #file: SqliteFile | undefined;
  #failedAt = Number.NEGATIVE_INFINITY;
  #failure: unknown;
  #isDamaged = false;

  constructor({ file, maxBytes, maxEntries, driver }: SqliteStoreOptions) {
    this.#path = resolve(file);
    this.#bounds = {
      maxBytes: maxBytes ?? SQLITE_DEFAULTS.maxBytes,
      maxEntries: maxEntries ?? SQLITE_DEFAULTS.maxEntries,
    };
    this.#openDatabase = loadDriver(driver);
  }

  open(host: SharedTierHost): void {
    if (this.#opened !== undefined)
      throw new CachingConfigError(
        'store',
        'a sqlite() that another application uses',
        'one sqlite() for each',
      );
    const { namespace, clock, timeout } = host;
    const file = () => this.#openFile();
    const writes = new WriteQueue({ file, clock, timeout });
    const records = new SqliteRecords(namespace, this.#bounds);
    const sequence = new SqliteSequence(namespace, () => host.longestLife() + LONGEST_FILL);
    const watch = new SqliteWatch({
      clock,
      sequence,
      file,
      onEviction: (position, tags) => host.onEviction(position, tags),
      onHearing: (hears) => host.onHearing(hears),
      onError: (error) => host.onError('watch', error),
    });
    this.#opened = {
      host,
      writes,
      records,
      sequence,
      values: new SqliteValues({ file, records, writes, clock }),
      leases: new SqliteLeases({ namespace, writes, clock }),
      watch,
      cancelPrune: () => undefined,
    };
    watch.look();
    this.#planPrune(this.#opened);
  }

  get values(): SqliteValues {
    return this.#open.values;
  }

  async lookup(key: string): Promise<SharedLookup> {
    const { host, records, sequence } = this.#open;
    const file = this.#openFile();
    // The position first: an entry that is ahead of it is checked against the next one.
    const position = sequence.position(file);
    return { position, frame: records.find(file, 'view', this.#nameOf(key), host.clock.now()) };
  }

  async position(): Promise<StampPosition | undefined> {
    return this.#open.sequence.position(this.#openFile());
  }

  async sync(known: StampPosition | undefined): Promise<StampDelta> {
    const { sequence, writes } = this.#open;
    return sequence.delta(this.#openFile(), known) ?? writes.add((file) => sequence.begun(file, known), true);
  }

  async set(key: string, frame: Buffer, life: number): Promise<void> {
    const { host, records, writes } = this.#open;
    const expires = host.clock.now() + Math.ceil(life);
    await writes.add((file) => records.put(file, 'view', this.#nameOf(key), frame, expires));
  }

  async evict(tags: readonly string[], known?: StampPosition): Promise<StampPosition> {
    const { host, sequence, writes, watch } = this.#open;
    const position = await writes.add((file) => sequence.evict(file, tags, known, host.clock.now()), true);
    watch.tell();
    return position;
  }

  lease(key: string, token: string, life: number): Promise<Lease> {
    return this.#open.leases.take(this.#nameOf(key), token, life);
  }

  release(key: string, token: string, uncacheableFor?: number): Promise<void> {
    return this.#open.leases.giveBack(this.#nameOf(key), token, uncacheableFor);
  }

  async close(): Promise<void> {
    const opened = this.#opened;
    if (opened === undefined) return;
    opened.cancelPrune();
    opened.watch.close();
    opened.writes.close();
    this.#opened = undefined;
    this.#closeFile();
  }

  get #open(): OpenTier {
    if (this.#opened === undefined) throw new Error('the sqlite store is not open');
    return this.#opened;
  }

  #nameOf(key: string): string {
    return (this.#open.host.digest ?? digestOf)(key);
  }

  /**
   * Opens it when it is first needed, and again some time after that failed, or once somebody has removed or replaced
   * it: whoever opens it now would not hear of what is evicted in the one that is gone.
   */
  #openFile(): SqliteFile {
    if (this.#file?.isGone === true) {
      this.#closeFile();
      this.#open.watch.leave();
    }
    if (this.#file !== undefined) return this.#file;
    const { host } = this.#open;
    const now = performance.now();
    if (now - this.#failedAt < OPEN_EVERY) throw this.#failure;
    try {
      this.#file = new SqliteFile(this.#path, this.#openDatabase, () => this.#sayDamaged(host));
      if (isOpenToAll(this.#path)) host.onCaveat(OPEN_TO_ALL);
    } catch (cause) {
      const error = isBusy(cause) ? cause : new Error(`${this.#path}: ${messageOf(cause)}`, { cause });
      const isFirst = this.#failedAt === Number.NEGATIVE_INFINITY;
      this.#failedAt = now;
      this.#failure = error;
      if (isFirst) host.onError('open', error);
      throw error;
    }
    if (this.#failedAt !== Number.NEGATIVE_INFINITY) host.onReachable();
    this.#failedAt = Number.NEGATIVE_INFINITY;
    this.#isDamaged = false;
    return this.#file;
  }

  /** Once for each file: whoever is to do something about it will not read the events of all that fail. */
  #sayDamaged(host: SharedTierHost): void {
    if (this.#isDamaged) return;
    this.#isDamaged = true;
    host.onCaveat(damaged(this.#path));
  }

  #closeFile(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  #planPrune(opened: OpenTier): void {
    const { clock } = opened.host;
    opened.cancelPrune = clock.after(PRUNE_EVERY, () => {
      this.#prune(opened)
        .catch((error: unknown) => {
          if (this.#opened === opened) opened.host.onError('prune', error);
        })
        .finally(() => {
          if (this.#opened === opened) this.#planPrune(opened);
        });
    });
  }

  async #prune({ host, records, leases, writes }: OpenTier): Promise<void> {
    const now = host.clock.now();
    while (await writes.add((file) => records.pruneSome(file, now)));
    await writes.add((file) => leases.prune(file, now));
    if (this.#opened !== undefined) records.shrink(this.#openFile());
  }
}

/**
 * A cache in a file, which survives restarts and is shared by the processes of one machine, with a tier in process in
 * front. It is bounded: what was stored first goes first, and what has expired is removed each minute.
 *
 * It needs better-sqlite3 or libsql to be installed, or Node 22.13.
 *
 * @throws CachingConfigError for options that can't work, or where no driver is installed
 * @example
 * CachingModule.forRoot({ store: sqlite({ file: 'cache/responses.sqlite' }) })
 */
export function sqlite(options: SqliteStoreOptions): SqliteTier {
  if (typeof options !== 'object' || options === null)
    throw new CachingConfigError('options', kindOf(options), '{ file }', 'sqlite()');
  checkNames(options, { file: true, maxBytes: true, maxEntries: true, driver: true }, 'sqlite()');
  const { file, maxBytes, maxEntries, driver } = options;
  if (typeof file !== 'string' || file === '' || file.includes('\0'))
    throw new CachingConfigError('file', file, 'the path of a file', 'sqlite()');
  for (const [field, value] of Object.entries({ maxBytes, maxEntries }))
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 1))
      throw new CachingConfigError(field, value, 'a whole number of at least 1', 'sqlite()');
  if (driver !== undefined && !DRIVERS.includes(driver))
    throw new CachingConfigError(
      'driver',
      driver,
      DRIVERS.map((each) => `'${each}'`).join(' or '),
      'sqlite()',
    );
  return new SqliteTier(options);
}
