import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RedisNames } from '../../libs/caching/src/stores/redis/redis-names.js';
import type { RedisStoreOptions } from '../../libs/caching/src/stores/redis/redis.store.js';
import { storeContract, storedBytesContract } from '../../libs/caching/src/testing.js';
import { CLUSTER_CLIENTS, type OpenClient, SINGLE_CLIENTS } from '../support/redis/clients.js';
import { startCluster } from '../support/redis/redis-cluster.js';
import { startRedis } from '../support/redis/redis-server.js';
import { RedisStorage } from '../support/redis/redis-storage.js';
import { openTiered, type TieredOptions } from '../support/redis/tiered.js';
import { rowsOf } from '../support/store-promises.js';

type Kind = Pick<TieredOptions, 'memory' | 'coherence'>;

const KINDS: readonly Kind[] = [
  { coherence: 'bus', memory: true },
  { coherence: 'bus', memory: false },
  { coherence: 'strict', memory: true },
  { coherence: 'strict', memory: false },
];

let storage: RedisStorage;
let given: OpenClient;

function keepsItsContracts(kind: Kind): void {
  const open = async () => {
    const connection = { client: given.client } as unknown as RedisStoreOptions;
    const opened = await openTiered({ connection, ...kind });
    const names = new RedisNames(opened.namespace);
    const forget = async (key: string) => {
      opened.local.delete(key);
      await storage.command(names.view(key), 'UNLINK', names.view(key));
    };
    return { ...opened, bytes: storage.bytes(opened.namespace), forget };
  };

  it.each(rowsOf([...storeContract(open), ...storedBytesContract(open)]))('%s', async (_promise, check) => {
    await expect(check()).resolves.toBeUndefined();
  });
}

describe('a store with one Redis behind it', () => {
  let close: () => Promise<void>;
  let url: string;

  beforeAll(async () => {
    const server = await startRedis();
    ({ url } = server);
    storage = await RedisStorage.ofServer(url);
    close = () => server.close();
  });

  afterAll(async () => {
    storage.close();
    await close();
  });

  describe.each(SINGLE_CLIENTS.filter(({ name }) => name !== 'redisStore'))('by $name', (client) => {
    beforeAll(async () => {
      given = await client.open(url);
    });

    afterAll(() => given.close());

    describe.each(KINDS)('coherence $coherence, memory in front: $memory', (kind) => {
      keepsItsContracts(kind);
    });
  });
});

describe('a store with a cluster behind it', () => {
  let close: () => Promise<void>;

  beforeAll(async () => {
    const cluster = await startCluster({ replicasPerMaster: 0 });
    storage = await RedisStorage.ofCluster(cluster.urls);
    close = () => cluster.close();
    given = await (CLUSTER_CLIENTS.find(({ major }) => major === 5) as (typeof CLUSTER_CLIENTS)[number]).open(
      cluster,
    );
  });

  afterAll(async () => {
    await given.close();
    storage.close();
    await close();
  });

  describe.each(KINDS)('coherence $coherence, memory in front: $memory', (kind) => {
    keepsItsContracts(kind);
  });
});
