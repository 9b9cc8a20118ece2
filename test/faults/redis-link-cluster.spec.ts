import { createCluster as createCluster5 } from '@redis/client';
import { redisClusterInsStore } from 'cache-manager-redis-yet';
import { createCluster as createCluster4 } from 'redis';
import { createCluster as createCluster6 } from 'redis-6';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../libs/caching/src/cache/clock.js';
import {
  createRedisLink,
  type RedisConnection,
} from '../../libs/caching/src/stores/redis/create-redis-link.js';
import type { RedisLink } from '../../libs/caching/src/stores/redis/redis-link.js';
import { poll } from '../support/redis/poll.js';
import { type RedisCluster, startCluster } from '../support/redis/redis-cluster.js';
import type { RedisServer } from '../support/redis/redis-server.js';
import { RedisLinkLoad } from '../support/redis-link-load.js';

const TIMEOUT_MS = 100;
/** From when the nodes themselves serve all slots again. */
const RECOVERY_MS = 4_000;
const KEYS = Array.from({ length: 30 }, (_, i) => `key:${i}`);

type Ways = readonly (readonly [string, (urls: readonly string[]) => RedisConnection])[];

const nodes = (urls: readonly string[]) => urls.map((url) => ({ url }));

const WAYS: Ways = [
  [
    'redisClusterInsStore',
    (urls) => ({
      client: redisClusterInsStore(createCluster4({ rootNodes: nodes(urls) }) as never, {
        rootNodes: [],
      }),
    }),
  ],
  ['node-redis 5', (urls) => ({ client: createCluster5({ rootNodes: nodes(urls) }) })],
  ['node-redis 6', (urls) => ({ client: createCluster6({ rootNodes: nodes(urls) }) })],
];

describe('the link to a Redis Cluster', () => {
  let cluster: RedisCluster;
  let link: RedisLink;

  beforeAll(async () => {
    cluster = await startCluster();
  });

  afterEach(() => link.close());

  afterAll(() => cluster.close());

  async function open(connection: RedisConnection): Promise<void> {
    link = createRedisLink(connection, {
      clock: systemClock,
      timeout: TIMEOUT_MS,
      onError: () => undefined,
    });
    link.open();
    await poll('all primaries', async () => {
      await Promise.all(KEYS.map((key) => link.send(key, ['SET', key, 'v'])));
      return true;
    });
  }

  /** What a load sees of a fault of the primary of `load:a`. */
  async function watch(begin: (primary: RedisServer) => unknown) {
    await cluster.waitForReplicas();
    const load = await RedisLinkLoad.start(link);
    const primary = await cluster.masterOf('load:a');
    await begin(primary);
    await cluster.waitForOk();
    const recovery = await load.recovered(10_000);
    await load.stop();
    return { primary, load, recovery };
  }

  it.each(WAYS)('sends each command to the primary of its key, by %s', async (_name, connectionTo) => {
    await open(connectionTo(cluster.urls));
    const bytes = Buffer.from([0, 13, 10, 128, 255]);
    for (const key of KEYS) await link.send(key, ['SET', key, bytes]);
    const replies = await Promise.all(KEYS.map((key) => link.send(key, ['GET', key])));
    expect(replies).toEqual(KEYS.map(() => bytes));
    const found = new Set<string>();
    for await (const part of link.scan('key:*')) for (const key of part) found.add(key);
    expect([...found].sort()).toEqual([...KEYS].sort());
  });

  it('sends a pair of commands to the same node, also after its slot has moved there', async () => {
    await open({ client: createCluster5({ rootNodes: nodes(cluster.urls) }) });
    const key = 'pair';
    const from = await cluster.masterOf(key);
    const idOf = async (node: RedisServer) => String(await node.command('CLUSTER', 'MYID'));
    const masters = await Promise.all(KEYS.map((each) => cluster.masterOf(each)));
    const to = masters.find((each) => each !== from) as RedisServer;
    const pair = () => link.sendPair(key, ['SET', key, 'v'], ['CLUSTER', 'MYID']);
    expect(String((await pair())[1])).toBe(await idOf(from));
    await from.command('DEL', key);
    const slot = String(await from.command('CLUSTER', 'KEYSLOT', key));
    for (const node of [to, from]) await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', await idOf(to));
    // The answer of the node that refused the first command is nobody's.
    expect((await pair()).map(String)).toEqual(['OK', await idOf(to)]);
    await to.command('DEL', key);
    for (const node of [from, to]) await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', await idOf(from));
    await cluster.waitForOk();
  });

  it.each(WAYS)('hears what is published on any node, by %s', async (_name, connectionTo) => {
    await open(connectionTo(cluster.urls));
    const heard: string[] = [];
    const hearing: boolean[] = [];
    link.subscribe(
      'news',
      (message) => heard.push(message),
      (hears) => hearing.push(hears),
    );
    await poll('the subscription', async () => hearing.at(-1) === true || undefined);
    for (const node of cluster.nodes) await node.command('PUBLISH', 'news', String(node.port));
    await poll('all messages', async () => heard.length >= cluster.nodes.length || undefined);
    expect(heard.sort()).toEqual(cluster.nodes.map(({ port }) => String(port)).sort());
  });

  it.each(WAYS)('is back within 4 s when a primary was killed, by %s', async (_name, connectionTo) => {
    await open(connectionTo(cluster.urls));
    const { primary, load, recovery } = await watch((each) => each.kill());
    await primary.restart();
    expect(recovery).toBeLessThan(RECOVERY_MS);
    expect(load.failures.length).toBeGreaterThan(0);
    expect(load.median).toBeLessThan(TIMEOUT_MS);
    expect(load.wrong).toBe(0);
  });

  it('is back within 4 s when a primary was stopped', async () => {
    await open({ client: createCluster5({ rootNodes: nodes(cluster.urls) }) });
    const { primary, load, recovery } = await watch((each) => each.stop());
    primary.resume();
    expect(recovery).toBeLessThan(RECOVERY_MS);
    expect(load.failures.length).toBeGreaterThan(0);
    expect(load.median).toBeLessThan(TIMEOUT_MS);
    expect(load.wrong).toBe(0);
  });

  it('is back within 4 s after a planned failover', async () => {
    await open({ client: createCluster5({ rootNodes: nodes(cluster.urls) }) });
    const { load, recovery } = await watch((each) => cluster.failOver(each));
    expect(recovery).toBeLessThan(RECOVERY_MS);
    expect(load.wrong).toBe(0);
  });

  it('keeps the other primaries while one is silent', async () => {
    await open({ client: createCluster5({ rootNodes: nodes(cluster.urls) }) });
    const primary = await cluster.masterOf('load:a');
    const others: string[] = [];
    for (const key of KEYS) if ((await cluster.masterOf(key)) !== primary) others.push(key);
    primary.stop();
    await expect(link.send('load:a', ['GET', 'load:a'])).rejects.toThrow('no answer within');
    const replies = await Promise.all(others.map((key) => link.send(key, ['STRLEN', key])));
    primary.resume();
    expect(replies.length).toBeGreaterThan(5);
    expect(replies.every((reply) => typeof reply === 'number')).toBe(true);
  });
});
