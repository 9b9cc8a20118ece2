import Libsql from 'libsql';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { CachingConfigError } from '../../libs/caching/src/caching.errors.js';
import type { SharedTierHost } from '../../libs/caching/src/stores/shared-tier.js';
import { isBusy, loadDriver } from '../../libs/caching/src/stores/sqlite/sqlite-driver.js';
import { sqlite, type SqliteStoreOptions } from '../../libs/caching/src/stores/sqlite/sqlite.store.js';
import { FakeClock } from '../support/fake-clock.js';
import { poll } from '../support/redis/poll.js';
import { SqliteStorage } from '../support/sqlite/storage.js';
import { tierHost } from '../support/tier-host.js';

const HOUR = 3_600_000;

function newStorage(options?: Partial<SqliteStoreOptions>): SqliteStorage {
  const storage = new SqliteStorage(options);
  onTestFinished(() => storage.close());
  return storage;
}

function openTier(storage: SqliteStorage, given: Partial<SharedTierHost> = {}) {
  const tier = storage.connect();
  const failures: string[] = [];
  const hearing: boolean[] = [];
  onTestFinished(() => tier.close());
  tier.open(
    tierHost('books', {
      timeout: 200,
      longestLife: () => HOUR,
      onHearing: (hears) => hearing.push(hears),
      onError: (operation, error) => failures.push(`${operation}: ${String(error)}`),
      ...given,
    }),
  );
  return { tier, failures, hearing };
}

describe('the file of sqlite()', () => {
  it('is made with its folder, for its owner alone', async () => {
    const storage = newStorage();
    const file = join(storage.folder, 'a', 'b', 'cache.sqlite');
    const tier = sqlite({ file });
    onTestFinished(() => tier.close());
    const { tier: other } = openTier(newStorage());
    await other.sync(undefined);
    openTier({ connect: () => tier } as unknown as SqliteStorage);
    await tier.set('key', Buffer.from('bytes'), HOUR);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(`${file}-wal`).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(file)).mode & 0o777).toBe(0o700);
  });

  it('holds no more than its bounds; what was stored first goes first', async () => {
    const byEntries = newStorage({ maxEntries: 10 });
    const { tier } = openTier(byEntries);
    for (let at = 0; at < 25; at++) await tier.set(`k${at}`, Buffer.from(`${at}`), HOUR);
    await tier.values.set('value', 'text', HOUR);
    const left: string[] = [];
    for (let at = 0; at < 25; at++) left.push(String((await tier.lookup(`k${at}`)).frame));
    expect(left).toEqual([
      ...Array.from({ length: 16 }, () => 'undefined'),
      ...Array.from({ length: 9 }, (_, at) => `${at + 16}`),
    ]);

    const byBytes = newStorage({ maxBytes: 1_000_000 });
    const { tier: large } = openTier(byBytes);
    for (let at = 0; at < 100; at++) await large.set(`k${at}`, Buffer.alloc(50_000), HOUR);
    const [totals] = byBytes.query('SELECT entries, bytes FROM totals');
    expect(totals?.['bytes']).toBeLessThanOrEqual(1_000_000);
    expect(totals?.['entries']).toBe(19);
    const [counted] = byBytes.query('SELECT count(*) AS entries, sum(size) AS bytes FROM records');
    expect(totals).toMatchObject({ entries: counted?.['entries'], bytes: counted?.['bytes'] });
    expect((await large.lookup('k99')).frame).toHaveLength(50_000);
    await large.set('huge', Buffer.alloc(1_000_001), HOUR);
    expect((await large.lookup('huge')).frame).toBeUndefined();
    expect((await large.lookup('k99')).frame).toHaveLength(50_000);
  });

  it('loses what has expired, and gives its room back to the file system', async () => {
    const clock = new FakeClock();
    const storage = newStorage();
    const { tier } = openTier(storage, { clock });
    for (let at = 0; at < 500; at++) await tier.set(`k${at}`, Buffer.alloc(10_000, at), 30_000);
    await tier.set('long', Buffer.from('long'), HOUR);
    await tier.lease('leased', 'token', 30_000);
    const pages = () => storage.query('PRAGMA page_count')[0]?.['page_count'] as number;
    const full = pages();
    expect(full).toBeGreaterThan(1_000);
    clock.advance(60_000);
    const count = (table: string) => storage.query(`SELECT count(*) AS count FROM ${table}`)[0]?.['count'];
    await poll(
      'what has expired to go',
      async () => (count('records') === 1 && count('leases') === 0) || undefined,
    );
    await poll('pages to be given back', async () => pages() < full / 4 || undefined);
    expect((await tier.lookup('long')).frame?.toString()).toBe('long');
  });

  it('keeps a bounded number of stamps, and stamps no longer than they can matter', async () => {
    const clock = new FakeClock();
    const { tier } = openTier(newStorage(), { clock, longestLife: () => 60_000 });
    const known = await tier.evict(['t:old']);
    clock.advance(60_000 + 10 * 60_000 + 1);
    const evicted = await tier.evict(['t:new']);
    const delta = await tier.sync(undefined);
    expect(delta).toEqual({ position: evicted, floor: known.n, stamps: [['t:new', evicted.n]] });
  });

  it('is not touched where it is the database of something else, or no database', async () => {
    const storage = newStorage();
    storage.query('CREATE TABLE theirs (x)');
    const before = readFileSync(storage.file);
    const { tier, failures } = openTier(storage);
    await expect(tier.lookup('key')).rejects.toThrow('something else');
    await expect(tier.evict(['t'])).rejects.toThrow('something else');
    expect(failures[0]).toMatch(/something else/);
    expect(readFileSync(storage.file).equals(before)).toBe(true);

    const text = newStorage();
    writeFileSync(text.file, 'a shopping list, which is longer than the header of a database '.repeat(20));
    const { tier: other } = openTier(text);
    await expect(other.lookup('key')).rejects.toThrow(/not a database/);
    expect(readFileSync(text.file, 'utf8')).toMatch(/^a shopping list/);
  });

  it('is opened again once what kept it from being opened is gone', async () => {
    const storage = newStorage();
    mkdirSync(storage.file);
    const { tier, failures } = openTier(storage);
    await expect(tier.lookup('key')).rejects.toThrow(/unable to open/i);
    rmSync(storage.file, { recursive: true });
    await poll('the file to be opened', async () => {
      await tier.set('key', Buffer.from('bytes'), HOUR);
      return true;
    });
    expect((await tier.lookup('key')).frame?.toString()).toBe('bytes');
    expect(failures.length).toBeGreaterThan(0);
  });

  it('is left where somebody removed or replaced it, for the one that is there now', async () => {
    const storage = newStorage();
    const one = openTier(storage);
    const before = await one.tier.evict(['t:1']);
    await one.tier.set('key', Buffer.from('bytes'), HOUR);
    for (const suffix of ['', '-wal', '-shm'])
      renameSync(storage.file + suffix, `${storage.file}.away${suffix}`);
    const two = openTier(storage);
    const { epoch } = (await two.tier.sync(undefined)).position;
    expect(epoch).not.toBe(before.epoch);
    const follows = async () => (await one.tier.position())?.epoch === epoch || undefined;
    await poll('the first to follow', follows);
    await poll('it to hear again', async () => one.hearing.length === 3 || undefined);
    expect(one.hearing).toEqual([true, false, true]);
    await two.tier.set('key', Buffer.from('anew'), HOUR);
    expect((await one.tier.lookup('key')).frame?.toString()).toBe('anew');
  });

  it('that another process has locked fails writes at their deadline, and no reads; then all goes on', async () => {
    const storage = newStorage();
    const { tier } = openTier(storage);
    await tier.set('key', Buffer.from('bytes'), HOUR);
    const other = new Libsql(storage.file);
    onTestFinished(() => {
      other.close();
    });
    other.exec('BEGIN IMMEDIATE');
    const writing = Promise.allSettled([tier.set('key', Buffer.from('late'), HOUR), tier.evict(['t'])]);
    expect((await tier.lookup('key')).frame?.toString()).toBe('bytes');
    const outcomes = await writing;
    expect(outcomes.map((each) => each.status)).toEqual(['rejected', 'rejected']);
    expect(outcomes.every((each) => each.status === 'rejected' && isBusy(each.reason))).toBe(true);
    const waiting = tier.set('key', Buffer.from('waited'), HOUR);
    other.exec('COMMIT');
    await waiting;
    expect((await tier.lookup('key')).frame?.toString()).toBe('waited');
  });

  it('stays in one piece where a write can not be done: others of its turn are', async () => {
    const { tier } = openTier(newStorage());
    await tier.sync(undefined);
    const outcomes = await Promise.allSettled([
      tier.set('one', Buffer.from('one'), HOUR),
      tier.set('bad', undefined as unknown as Buffer, HOUR),
      tier.set('two', Buffer.from('two'), HOUR),
    ]);
    expect(outcomes.map((each) => each.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((await tier.lookup('two')).frame?.toString()).toBe('two');
  });

  it('does on closing what was asked for before', async () => {
    const storage = newStorage();
    const { tier } = openTier(storage);
    const writing = tier.set('key', Buffer.from('bytes'), HOUR);
    await tier.close();
    await writing;
    const { tier: next } = openTier(storage);
    expect((await next.lookup('key')).frame?.toString()).toBe('bytes');
    expect(existsSync(storage.file)).toBe(true);
  });
});

describe('sqlite() and its driver', () => {
  it('takes the first that is installed, and says what to install where none is', () => {
    const load = createRequire(import.meta.url);
    const asked: string[] = [];
    const only = (name: string) => (specifier: string) => {
      asked.push(specifier);
      if (specifier !== name) throw new Error(`Cannot find module '${specifier}'`);
      return load(specifier) as unknown;
    };
    expect(loadDriver(undefined, only('libsql'))(':memory:').prepare('SELECT 1 AS one').get()).toMatchObject({
      one: 1,
    });
    expect(asked).toEqual(['better-sqlite3', 'libsql']);
    let problem: unknown;
    try {
      loadDriver(undefined, only('none'));
    } catch (error) {
      problem = error;
    }
    expect(problem).toBeInstanceOf(CachingConfigError);
    expect(String(problem)).toMatch(/npm install better-sqlite3, or npm install libsql, or Node 22\.13/);
    expect((problem as Error).cause).toBeInstanceOf(Error);
  });

  it.each<[string, object]>([
    ['file', {}],
    ['file', { file: '' }],
    ['file', { file: 5 }],
    ['maxBytes', { file: 'x', maxBytes: 0 }],
    ['maxEntries', { file: 'x', maxEntries: 1.5 }],
    ['driver', { file: 'x', driver: 'oracle' }],
    ['path', { path: 'x' }],
  ])('refuses a wrong %s by name: %o', (field, options) => {
    let problem: unknown;
    try {
      sqlite(options as SqliteStoreOptions);
    } catch (error) {
      problem = error;
    }
    expect(problem).toMatchObject({ field });
  });
});
