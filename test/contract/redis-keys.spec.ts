import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ALL_VIEWS } from '../../libs/caching/src/http/route-tags.js';
import { startCluster } from '../support/redis/redis-cluster.js';
import { type RedisServer, startRedis } from '../support/redis/redis-server.js';
import { RedisStorage } from '../support/redis/redis-storage.js';
import { type OpenedTiered, openTiered } from '../support/redis/tiered.js';

const NAMESPACE = 'app.v1';

/** Keys of others; all of them look a little like ours. */
const THEIRS: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ['session:1', 'SET', 'alice'],
  ['value', 'SET', 'theirs'],
  [NAMESPACE, 'SET', 'theirs'],
  [`${NAMESPACE}:`, 'SET', 'theirs'],
  [`${NAMESPACE}:values:a`, 'SET', 'theirs'],
  [`${NAMESPACE}:user:1`, 'HSET', 'name', 'Bob'],
  [`${NAMESPACE}.1:value:a`, 'SET', 'theirs'],
  [`${NAMESPACE}-1:view:a`, 'SET', 'theirs'],
  [`my-${NAMESPACE}:value:a`, 'SET', 'theirs'],
  ['appxv1:value:a', 'SET', 'theirs'],
  [`${NAMESPACE.toUpperCase()}:value:a`, 'SET', 'theirs'],
  [`{${NAMESPACE}}:value:a`, 'SET', 'theirs'],
  [`{${NAMESPACE}}:stamps2`, 'ZADD', '1', 'Tt:1'],
  [`{${NAMESPACE}.1}:stamps`, 'ZADD', '1', 'Tt:1'],
  ['*', 'SET', 'theirs'],
  ['keyv:a', 'SET', '{"value":"theirs"}'],
  ['queue', 'RPUSH', 'a', 'b', 'a'],
  ['members', 'SADD', 'a', 'b'],
  ['events', 'XADD', '1-1', 'field', 'value'],
];

let storage: RedisStorage;
let nodes: readonly RedisServer[];
let one: OpenedTiered;

/** All keys of others with their bytes and the time at which they end. */
async function theirs(): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of await allKeys()) {
    if (isOurs(name)) continue;
    const dump = String((await storage.dump(name))?.toString('base64'));
    found[name] = `${dump} until ${String(await storage.command(name, 'PEXPIRETIME', name))}`;
  }
  return found;
}

async function allKeys(): Promise<string[]> {
  const lists = await Promise.all(nodes.map((node) => node.command('KEYS', '*')));
  return lists.flat().map(String).sort();
}

function isOurs(name: string): boolean {
  const kinds = [`${NAMESPACE}:view:`, `${NAMESPACE}:lease:`, `${NAMESPACE}:value:`];
  if (kinds.some((kind) => name.startsWith(kind))) return true;
  return name === `{${NAMESPACE}}:stamps` || name === `{${NAMESPACE}}:position`;
}

/** Everything that a store is asked for. */
const OPERATIONS: readonly (readonly [string, () => unknown])[] = [
  ['a look-up', () => one.read('a')],
  ['storing', () => one.put('a', { tags: ['t:1'] })],
  ['storing over it', () => one.put('a', { tags: ['t:1'], order: 2, text: 'two' })],
  ['an eviction', () => one.store.evict(['t:1'])],
  ['an eviction of everything', () => one.store.evict([ALL_VIEWS])],
  ['an eviction of tags that name keys', () => one.store.evict(THEIRS.map(([name]) => name))],
  ['a lease', () => one.store.lease('a', 'token', 10_000)],
  ['giving the lease back', () => one.store.release('a', 'token', 10_000)],
  ['setting values', () => Promise.all(THEIRS.map(([name]) => one.store.values.set(name, 'ours', 60_000)))],
  ['reading values', () => Promise.all(THEIRS.map(([name]) => one.store.values.get(name)))],
  ['deleting a value', () => one.store.values.delete('value')],
  ['clearing values', () => one.store.values.clear()],
  ['a heartbeat', () => one.clock.advance(500)],
  ['closing', () => one.store.close()],
];

function leavesOthersAlone(connection: () => Parameters<typeof openTiered>[0]['connection']): void {
  beforeEach(async () => {
    for (const [name, command, ...args] of THEIRS) {
      await storage.command(name, 'DEL', name);
      await storage.command(name, command, name, ...args);
    }
    await storage.command('session:1', 'PEXPIRE', 'session:1', '3600000');
  });

  it('leaves the keys of others as they are, whatever it does', async () => {
    const before = await theirs();
    expect(Object.keys(before)).toHaveLength(THEIRS.length);
    one = await openTiered({
      connection: connection(),
      coherence: 'bus',
      memory: true,
      namespace: NAMESPACE,
    });
    expect(await theirs()).toEqual(before);
    for (const [what, operate] of OPERATIONS) {
      await operate();
      expect({ what, theirs: await theirs() }).toEqual({ what, theirs: before });
    }
    expect(one.errors).toEqual([]);
  });

  it('leaves no key of its own without an end', async () => {
    one = await openTiered({
      connection: connection(),
      coherence: 'bus',
      memory: true,
      namespace: NAMESPACE,
    });
    await one.put('a');
    await one.store.evict(['t:1']);
    await one.store.lease('a', 'token', 60_000);
    await one.store.lease('b', 'token', 60_000);
    await one.store.release('b', 'token', 60_000);
    await one.store.values.set('a', 'ours', 60_000);
    const ours = (await allKeys()).filter(isOurs);
    expect(ours.length).toBeGreaterThanOrEqual(6);
    const endless: string[] = [];
    for (const name of ours) if (Number(await storage.command(name, 'PTTL', name)) <= 0) endless.push(name);
    expect(endless).toEqual([]);
    await one.store.close();
  });
}

describe('redis() beside another application, on one server', () => {
  beforeAll(async () => {
    nodes = [await startRedis()];
    storage = await RedisStorage.ofServer((nodes[0] as RedisServer).url);
  });

  afterAll(async () => {
    storage.close();
    await nodes[0]?.close();
  });

  leavesOthersAlone(() => ({ url: (nodes[0] as RedisServer).url }));
});

describe('redis() beside another application, on a cluster', () => {
  let close: () => Promise<void>;

  beforeAll(async () => {
    const cluster = await startCluster({ replicasPerMaster: 0 });
    ({ nodes } = cluster);
    storage = await RedisStorage.ofCluster(cluster.urls);
    close = () => cluster.close();
  });

  afterAll(async () => {
    storage.close();
    await close();
  });

  leavesOthersAlone(() => ({ client: storage.client as never }));
});
