import { chmodSync, readFileSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isDamaged } from '../../libs/caching/src/stores/sqlite/sqlite-driver.js';
import { poll } from '../support/redis/poll.js';
import { SqliteStorage } from '../support/sqlite/storage.js';
import { tierHost } from '../support/tier-host.js';

const HOUR = 3_600_000;

function newStorage(): SqliteStorage {
  const storage = new SqliteStorage();
  onTestFinished(() => storage.close());
  return storage;
}

function removeFiles({ file }: SqliteStorage): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true });
}

function openTier(storage: Pick<SqliteStorage, 'connect'>, namespace = 'books') {
  const tier = storage.connect();
  const failures: string[] = [];
  const caveats: string[] = [];
  const hearing: boolean[] = [];
  onTestFinished(() => tier.close());
  tier.open(
    tierHost(namespace, {
      timeout: 200,
      longestLife: () => HOUR,
      onHearing: (hears) => hearing.push(hears),
      onCaveat: (caveat) => caveats.push(caveat),
      onError: (operation, error) => failures.push(`${operation}: ${String(error)}`),
    }),
  );
  return { tier, failures, caveats, hearing };
}

/** What nobody of us writes as the state of a sequence. SQLite's columns take all of it. */
const STATES = [
  'n = 9007199254740992',
  'n = 9223372036854775807',
  'n = 1e300',
  'n = 1.5',
  'n = -5',
  "n = 'abc'",
  "n = x'00'",
  "epoch = x'00ff'",
  "epoch = ''",
  'epoch = hex(zeroblob(1000))',
  "floor = 'abc'",
  'floor = 9007199254740993',
  'floor = -1',
  "life = 'abc'",
  'life = 9e999',
  'life = -1',
];

/** And as a stamp. */
const STAMPS = [
  "tag = 'no JSON'",
  "tag = x'00'",
  "tag = '7'",
  `tag = '["t:1"]'`,
  "n = 'abc'",
  'n = 9223372036854775807',
  "n = x'00'",
];

describe('a file of sqlite() that somebody has written to', () => {
  it.each(STATES)('begins another epoch where its state is none of ours: %s', async (change) => {
    const storage = newStorage();
    const { tier } = openTier(storage);
    const before = await tier.evict(['t:1']);
    storage.query(`UPDATE states SET ${change}`);
    expect((await tier.lookup('key')).position).toBeUndefined();
    const { position } = await tier.sync(undefined);
    expect(position).toEqual({ epoch: expect.stringMatching(/^[\da-f-]{36}$/), n: 0 });
    expect(position.epoch).not.toBe(before.epoch);
    // Each eviction has a number of its own again.
    expect(await tier.evict(['t:1'], position)).toEqual({ ...position, n: 1 });
    expect(await tier.evict(['t:1'], position)).toEqual({ ...position, n: 2 });
  });

  it.each(STATES)('acknowledges no eviction that changes nothing: %s', async (change) => {
    const storage = newStorage();
    const { tier } = openTier(storage);
    await tier.evict(['t:1']);
    storage.query(`UPDATE states SET ${change}`);
    const [one, other] = [await tier.evict(['t:1']), await tier.evict(['t:1'])];
    expect(other.epoch).toBe(one.epoch);
    expect([Number.isSafeInteger(one.n), other.n - one.n]).toEqual([true, 1]);
  });

  it.each(STAMPS)('begins another epoch where a stamp is none: %s', async (change) => {
    const storage = newStorage();
    const { tier, hearing } = openTier(storage);
    const before = await tier.evict(['t:1']);
    await tier.evict(['t:2']);
    storage.query(`UPDATE stamps SET ${change} WHERE tag = '"t:1"'`);
    const { position, stamps } = await tier.sync({ ...before, n: 0 });
    expect([position.epoch === before.epoch, position.n, stamps]).toEqual([false, 0, []]);
    const after = await tier.evict(['t:3'], position);
    expect(await tier.sync(position)).toEqual({ position: after, floor: 0, stamps: [['t:3', 1]] });
    await poll('it to hear', async () => hearing.at(-1) || undefined);
  });

  it.each(["bytes = 'a text'", 'bytes = 7', "bytes = x''"])('holds nothing where %s', async (change) => {
    const storage = newStorage();
    const { tier } = openTier(storage);
    await tier.set('key', Buffer.from('bytes'), HOUR);
    await tier.values.set('value', 'text', HOUR);
    storage.query(`UPDATE records SET ${change}`);
    expect((await tier.lookup('key')).frame?.length ?? 0).toBe(0);
    expect((await tier.values.get('value')) ?? '').toBe('');
  });

  it.each([0, 100, 4_096, 6_000])(
    'and cut to %i bytes fails, and is begun anew where it is removed',
    async (size) => {
      const storage = newStorage();
      const { tier } = openTier(storage);
      for (let at = 0; at < 50; at++) await tier.set(`k${at}`, Buffer.alloc(3_000, at), HOUR);
      storage.query('PRAGMA wal_checkpoint(TRUNCATE)');
      truncateSync(storage.file, size);
      for (const ask of [
        () => tier.lookup('k3'),
        () => tier.set('new', Buffer.from('x'), HOUR),
        () => tier.evict(['t']),
      ])
        await expect(ask()).rejects.toThrow(/malformed|not a database/);
      await storage.close();
      await poll('another file', async () => {
        await tier.set('new', Buffer.from('x'), HOUR).catch(() => undefined);
        return (await tier.lookup('new').catch(() => undefined))?.frame?.toString() === 'x' || undefined;
      });
      expect((await tier.lookup('k3')).frame).toBeUndefined();
    },
  );

  it('and damaged is named once, with what to do, and named again where the next one is', async () => {
    const storage = newStorage();
    const { tier, caveats } = openTier(storage);
    const fill = async () => {
      for (let at = 0; at < 50; at++) await tier.set(`k${at}`, Buffer.alloc(3_000, at), HOUR);
      storage.query('PRAGMA wal_checkpoint(TRUNCATE)');
      return true;
    };
    for (const round of [1, 2]) {
      await poll('a file to write to', fill);
      expect(caveats).toHaveLength(round - 1);
      truncateSync(storage.file, 6_000);
      for (let at = 0; at < 20; at++) await expect(tier.lookup(`k${at}`)).rejects.toThrow(/malformed/);
      await expect(tier.values.get('value')).rejects.toThrow(/malformed/);
      await expect(tier.evict(['t'])).rejects.toThrow(/malformed/);
      expect(caveats).toHaveLength(round);
      for (const part of ['damaged', storage.file, `${storage.file}-wal`, `${storage.file}-shm`, 'emove'])
        expect(caveats.at(-1)).toContain(part);
      removeFiles(storage);
    }
  });

  it('and that is no database any more is named once, and again where the next one is none', async () => {
    const storage = newStorage();
    const { tier, caveats } = openTier(storage);
    const spoil = () => writeFileSync(storage.file, 'no database '.repeat(500), { mode: 0o600 });
    for (const round of [1, 2]) {
      await poll('a file to write to', () => tier.evict(['t']));
      removeFiles(storage);
      spoil();
      await poll('it to be opened', () =>
        tier.lookup('key').then(
          () => undefined,
          (error: Error) => error.message.includes('not a database') || undefined,
        ),
      );
      await expect(tier.evict(['t'])).rejects.toThrow('not a database');
      expect(caveats).toHaveLength(round);
      expect(caveats.at(-1)).toContain(storage.file);
      rmSync(storage.file);
    }
  });

  it.each<[boolean, object]>([
    [true, { code: 'SQLITE_CORRUPT' }],
    [true, { code: 'SQLITE_CORRUPT_INDEX' }],
    [true, { code: 'SQLITE_NOTADB' }],
    [true, { code: 'ERR_SQLITE_ERROR', errcode: 11 }],
    [true, { code: 'ERR_SQLITE_ERROR', errcode: 11 + (1 << 8) }],
    [true, { code: 'ERR_SQLITE_ERROR', errcode: 26 }],
    [false, { code: 'ERR_SQLITE_ERROR', errcode: 5 }],
    [false, { code: 'SQLITE_BUSY' }],
    [false, { code: 'SQLITE_FULL' }],
    [false, {}],
  ])('counts as damaged by what any of the drivers says: %s %j', (damaged, members) => {
    expect(isDamaged(Object.assign(new Error('x'), members))).toBe(damaged);
  });

  it('is named where everybody on the machine may read it', async () => {
    const open = newStorage();
    writeFileSync(open.file, '');
    chmodSync(open.file, 0o644);
    const { tier, caveats } = openTier(open);
    await tier.sync(undefined);
    expect(caveats).toEqual([expect.stringContaining('chmod o-rw')]);
    const own = openTier(newStorage());
    await own.tier.sync(undefined);
    expect(own.caveats).toEqual([]);
  });

  it("through a link to somebody else's is not touched", async () => {
    const storage = newStorage();
    const theirs = `${storage.folder}/theirs.txt`;
    const text = 'a shopping list, which is longer than the header of a database '.repeat(20);
    writeFileSync(theirs, text, { mode: 0o644 });
    symlinkSync(theirs, storage.file);
    const { tier } = openTier(storage);
    await expect(tier.evict(['t'])).rejects.toThrow('not a database');
    expect([readFileSync(theirs, 'utf8'), statSync(theirs).mode & 0o777]).toEqual([text, 0o644]);
  });
});

describe('names that sqlite() is given', () => {
  it.each(["x'; DROP TABLE records; --", 'a\0b', '"', '\ud800', 'n'.repeat(100_000), '%', '../../etc'])(
    'are values to it: %j',
    async (name) => {
      const storage = newStorage();
      const { tier } = openTier(storage, name);
      const { tier: other } = openTier(storage, `${name}2`);
      await tier.set(name, Buffer.from('view'), HOUR);
      await tier.values.set(name, 'value', HOUR);
      expect((await tier.lookup(name)).frame?.toString()).toBe('view');
      expect(await tier.values.get(name)).toBe('value');
      expect((await other.lookup(name)).frame).toBeUndefined();
      expect(await other.values.get(name)).toBeUndefined();
      const at = await tier.evict([name]);
      expect((await tier.sync({ ...at, n: 0 })).stamps).toEqual([[name, 1]]);
      expect(await tier.lease(name, name, HOUR)).toBe('ours');
      expect(storage.query('SELECT count(*) AS count FROM records')).toEqual([{ count: 2 }]);
    },
  );
});
