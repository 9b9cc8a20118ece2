import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RedisNames } from '../../libs/caching/src/stores/redis/redis-names.js';
import { type RedisServer, startRedis } from '../support/redis/redis-server.js';
import { RedisStorage } from '../support/redis/redis-storage.js';
import { poll } from '../support/redis/poll.js';
import { type OpenedTiered, openTiered, TIMES } from '../support/redis/tiered.js';

let server: RedisServer;
let storage: RedisStorage;
let opened: OpenedTiered[] = [];

beforeAll(async () => {
  server = await startRedis();
  storage = await RedisStorage.ofServer(server.url);
});

afterAll(async () => {
  storage.close();
  await server.close();
});

afterEach(async () => {
  await Promise.all(opened.map(({ store }) => store.close()));
  opened = [];
});

const KINDS = [
  { coherence: 'bus', memory: true },
  { coherence: 'bus', memory: false },
  { coherence: 'strict', memory: true },
  { coherence: 'strict', memory: false },
] as const;

/** What of the state is lost. Entries stay, as far as nothing else is said. */
const LOSSES: readonly (readonly [string, (names: RedisNames) => Promise<unknown>])[] = [
  ['the stamps', ({ stamps }) => storage.command(stamps, 'DEL', stamps)],
  ['the position', ({ position }) => storage.command(position, 'DEL', position)],
  ['both', ({ stamps, position }) => storage.command(stamps, 'DEL', stamps, position)],
  ['everything', ({ stamps }) => storage.command(stamps, 'FLUSHALL')],
];

/** What others may have put where the state is, or made of it. */
const DAMAGE: readonly (readonly [string, (names: RedisNames) => Promise<unknown>])[] = [
  ['stamps of another type', async (names) => replace(names.stamps, 'RPUSH', 'theirs')],
  ['a position of another type', async (names) => replace(names.position, 'RPUSH', 'theirs')],
  ['a position that is no position', async (names) => replace(names.position, 'SET', 'NaN:-1')],
  ['a position of another epoch', async (names) => replace(names.position, 'SET', 'another:1')],
  ['a position far ahead', async (names) => replace(names.position, 'SET', `${await epochOf(names)}:999`)],
  ['stamps of nobody', async (names) => replace(names.stamps, 'ZADD', '1', 'Tt:1')],
  [
    'no epoch',
    async (names) => storage.command(names.stamps, 'ZREM', names.stamps, await memberOf(names, 'E')),
  ],
  ['an endless count', async (names) => addTo(names, '-inf', await memberOf(names, 'E'))],
  ['a count with a fraction', async (names) => addTo(names, '-2.5', await memberOf(names, 'E'))],
  ['two epochs', async (names) => addTo(names, '-3', 'Eanother')],
  ['an epoch without a name', async (names) => addTo(names, '-9', 'E')],
  ['no floor', async (names) => storage.command(names.stamps, 'ZREM', names.stamps, 'F')],
  ['a floor above the count', async (names) => addTo(names, '-900', 'F')],
  [
    'another history',
    async (names) => storage.command(names.stamps, 'ZREM', names.stamps, await memberOf(names, 'R')),
  ],
  ['marks that are none', async (names) => addTo(names, '-1', 'M', '-900', 'Msoon')],
  ['tags that are none', async (names) => addTo(names, '1', 'J{', '1', 'J', '1', '', '1', 'X', '0', 'T0')],
  ['stamps that are none', async (names) => addTo(names, '+inf', 'Tt:9', '0.5', 'Tt:8', '1.5', 'Tt:7')],
];

async function replace(name: string, command: string, ...args: string[]): Promise<void> {
  await storage.command(name, 'DEL', name);
  await storage.command(name, command, name, ...args);
}

function addTo({ stamps }: RedisNames, ...args: string[]): Promise<unknown> {
  return storage.command(stamps, 'ZADD', stamps, ...args);
}

async function memberOf({ stamps }: RedisNames, kind: string): Promise<string> {
  const members = (await storage.command(stamps, 'ZRANGE', stamps, '0', '-1')) as Buffer[];
  const member = members.map(String).find((each) => each.startsWith(kind));
  if (member === undefined) throw new Error(`the stamps have no ${kind}`);
  return member;
}

async function epochOf(names: RedisNames): Promise<string> {
  return (await memberOf(names, 'E')).slice(1);
}

describe.each(KINDS)('state that is lost, coherence $coherence, memory in front: $memory', (kind) => {
  let one: OpenedTiered;
  let two: OpenedTiered;
  let names: RedisNames;
  /** An entry as it was before its eviction. */
  let evicted: Buffer;

  const open = async (namespace?: string) => {
    const each = await openTiered({
      connection: { url: server.url },
      ...kind,
      ...(namespace && { namespace }),
    });
    opened.push(each);
    return each;
  };
  const writeLate = async () => storage.bytes(one.namespace).write('old', evicted);

  beforeEach(async () => {
    one = await open();
    two = await open(one.namespace);
    names = new RedisNames(one.namespace);
    await one.put('old', { tags: ['t:old'] });
    evicted = (await storage.bytes(one.namespace).read('old')) as Buffer;
    await one.put('kept', { tags: ['t:kept'] });
    await two.store.evict(['t:old']);
    for (const each of [one, two]) {
      await poll('the eviction to be known', async () => (await each.read('old')) === undefined || undefined);
      await poll('the other to be kept', async () => (await each.read('kept')) === 'kept' || undefined);
    }
  });

  /** Whatever happened: nothing that was evicted comes back, and all goes on. */
  async function goOn(): Promise<void> {
    await writeLate();
    const fresh = await open(one.namespace);
    for (const each of [one, two, fresh]) {
      expect(await each.read('old')).toBeUndefined();
      expect([undefined, 'kept']).toContain(await each.read('kept'));
    }
    // An eviction by one of them ends what any has.
    await two.store.evict(['t:kept']);
    for (const each of [one, two, fresh])
      await poll('the eviction', async () => (await each.read('kept')) === undefined || undefined, 5_000, 1);
    await one.store.lookup('again');
    expect(await one.put('again', { text: 'fresh', tags: ['t:again'] })).toBe(true);
    for (const each of [one, two, fresh]) expect(await each.read('again')).toBe('fresh');
    await fresh.store.evict(['t:again']);
    for (const each of [one, two, fresh])
      await poll('the eviction', async () => (await each.read('again')) === undefined || undefined, 5_000, 1);
    expect(await storage.command(names.stamps, 'TYPE', names.stamps)).toBe('zset');
  }

  it.each(LOSSES)('only misses: %s', async (_what, lose) => {
    await lose(names);
    await expect(goOn()).resolves.toBeUndefined();
  });

  it.each(LOSSES)('only misses, where an eviction comes first: %s', async (_what, lose) => {
    await lose(names);
    await one.store.evict(['t:other']);
    await expect(goOn()).resolves.toBeUndefined();
  });

  it.each(DAMAGE)('only misses, also where it is damaged: %s', async (_what, damage) => {
    await damage(names);
    await expect(goOn()).resolves.toBeUndefined();
  });

  it.each(['a look-up', 'an eviction'])('is found by %s when it was rolled back', async (what) => {
    const dumps = await Promise.all(
      [names.stamps, names.position].map(async (name) => [name, await storage.dump(name)] as const),
    );
    await one.put('later', { tags: ['t:later'] });
    const later = (await storage.bytes(one.namespace).read('later')) as Buffer;
    await two.store.evict(['t:later']);
    await poll('the eviction', async () => (await one.read('later')) === undefined || undefined);
    for (const [name, dump] of dumps) await storage.restore(name, dump as Buffer);
    await storage.bytes(one.namespace).write('later', later);
    if (what === 'an eviction') await one.store.evict(['t:third']);
    expect(await one.read('later')).toBeUndefined();
    expect(await two.read('later')).toBeUndefined();
    const fresh = await open(one.namespace);
    expect(await fresh.read('later')).toBeUndefined();
    await expect(goOn()).resolves.toBeUndefined();
  });
});

it.each(['bus', 'strict'] as const)(
  'an eviction that was lost unheard ends what is in memory: %s',
  async (coherence) => {
    const deaf = { connection: { url: server.url }, coherence, memory: true, isDeaf: true };
    const one = await openTiered(deaf);
    opened.push(one);
    const two = await openTiered({ ...deaf, namespace: one.namespace });
    opened.push(two);
    await one.put('a', { tags: ['t:1'] });
    expect(await one.read('a')).toBe('a');
    await two.store.evict(['t:1']);
    await storage.loseSequence(one.namespace);
    await two.store.lookup('nothing');
    one.clock.advance(TIMES.heartbeat + TIMES.timeout + 1);
    expect(await one.read('a')).toBeUndefined();
  },
);

describe('a Redis that comes back with an older state', () => {
  it('has nothing that is taken for current', async () => {
    await using restarted = await startRedis();
    const connection = { url: restarted.url };
    const one = await openTiered({ connection, coherence: 'strict', memory: true });
    opened.push(one);
    const { namespace } = one;
    await one.store.evict(['t:other']);
    await one.put('a', { tags: ['t:1'] });
    await restarted.command('SAVE');
    await one.store.evict(['t:1']);
    expect(await one.read('a')).toBeUndefined();
    // Whoever remembers would say that there was more: here nobody is left who does.
    await one.store.close();
    await restarted.restart();
    expect(await restarted.command('EXISTS', new RedisNames(namespace).view('a'))).toBe(1);
    const fresh = await openTiered({ connection, coherence: 'strict', memory: true, namespace });
    opened.push(fresh);
    expect(await fresh.read('a')).toBeUndefined();
  });
});
