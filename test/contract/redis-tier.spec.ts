import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { NodeRedisClient } from '../../libs/caching/src/stores/redis/node-redis.js';
import { RedisNames } from '../../libs/caching/src/stores/redis/redis-names.js';
import { redis } from '../../libs/caching/src/stores/redis/redis.store.js';
import { sharedTierContract } from '../../libs/caching/src/testing.js';
import { CLUSTER_CLIENTS, type OpenClient, SINGLE_CLIENTS } from '../support/redis/clients.js';
import { poll } from '../support/redis/poll.js';
import { type RedisCluster, startCluster } from '../support/redis/redis-cluster.js';
import { type RedisServer, startRedis } from '../support/redis/redis-server.js';
import { RedisStorage } from '../support/redis/redis-storage.js';
import { rowsOf } from '../support/store-promises.js';
import { tierHost } from '../support/tier-host.js';

let storage: RedisStorage;
let given: OpenClient;

/** What whoever shares a Redis relies on, by the client that the last hook has opened. */
function keepsItsContract(): void {
  const contract = sharedTierContract(
    () => ({
      connect: () => redis({ client: given.client as unknown as NodeRedisClient }),
      bytes: (namespace) => storage.bytes(namespace),
      loseSequence: (namespace) => storage.loseSequence(namespace),
    }),
    { sharedBy: 'instances' },
  );

  it.each(rowsOf(contract))('%s', async (_promise, check) => {
    await expect(check()).resolves.toBeUndefined();
  });

  it.each(['view', 'position', 'stamps'] as const)(
    'takes a value of another type for nothing: %s',
    async (kind) => {
      const namespace = `types-${randomUUID().slice(0, 13)}`;
      const names = new RedisNames(namespace);
      const tier = redis({ client: given.client as unknown as NodeRedisClient });
      onTestFinished(() => tier.close());
      tier.open(tierHost(namespace));
      await poll('the tier to be ready', () => Promise.all([tier.sync(undefined), tier.lookup('a')]));
      const name = kind === 'view' ? names.view('a') : names[kind];
      await storage.command(name, 'DEL', name);
      await storage.command(name, 'HSET', name, 'field', 'theirs');
      expect((await tier.lookup('a')).frame).toBeUndefined();
      await tier.position();
      const evicted = await tier.evict(['t:1']);
      expect(await tier.position()).toEqual(evicted);
      await tier.set('a', Buffer.from('ours'), 60_000);
      expect(String((await tier.lookup('a')).frame)).toBe('ours');
    },
  );
}

describe('redis() on one server', () => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await startRedis();
    storage = await RedisStorage.ofServer(server.url);
  });

  afterAll(async () => {
    storage.close();
    await server.close();
  });

  describe.each(SINGLE_CLIENTS)('by $name', ({ open }) => {
    beforeAll(async () => {
      given = await open(server.url);
    });

    afterAll(() => given.close());

    keepsItsContract();
  });
});

describe('redis() on a cluster', () => {
  let cluster: RedisCluster;

  beforeAll(async () => {
    cluster = await startCluster({ replicasPerMaster: 0 });
    storage = await RedisStorage.ofCluster(cluster.urls);
  });

  afterAll(async () => {
    storage.close();
    await cluster.close();
  });

  describe.each(CLUSTER_CLIENTS)('by $name', ({ open }) => {
    beforeAll(async () => {
      given = await open({ urls: cluster.urls });
    });

    afterAll(() => given.close());

    keepsItsContract();
  });
});
