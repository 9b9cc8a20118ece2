import {
  createClient as createClient5,
  createCluster as createCluster5,
  createSentinel as createSentinel5,
} from '@redis/client';
import { redisClusterInsStore, redisClusterStore, redisInsStore, redisStore } from 'cache-manager-redis-yet';
import { createClient as createClient4, createCluster as createCluster4 } from 'redis';
import {
  createClient as createClient6,
  createCluster as createCluster6,
  createSentinel as createSentinel6,
} from 'redis-6';
import { describe, expectTypeOf, it } from 'vitest';
import type { RedisConnection } from '../../libs/caching/src/stores/redis/create-redis-link.js';
import type { NodeRedisClient } from '../../libs/caching/src/stores/redis/node-redis.js';

describe('the type of redis({ client })', () => {
  it('takes clients, clusters and sentinels of node-redis 4, 5 and 6', () => {
    expectTypeOf(createClient4()).toExtend<NodeRedisClient>();
    expectTypeOf(createClient5()).toExtend<NodeRedisClient>();
    expectTypeOf(createClient6()).toExtend<NodeRedisClient>();
    expectTypeOf(createCluster4({ rootNodes: [] })).toExtend<NodeRedisClient>();
    expectTypeOf(createCluster5({ rootNodes: [] })).toExtend<NodeRedisClient>();
    expectTypeOf(createCluster6({ rootNodes: [] })).toExtend<NodeRedisClient>();
    expectTypeOf(createSentinel5({ name: 'm', sentinelRootNodes: [] })).toExtend<NodeRedisClient>();
    expectTypeOf(createSentinel6({ name: 'm', sentinelRootNodes: [] })).toExtend<NodeRedisClient>();
  });

  it('takes clients with other options, and the stores of cache-manager-redis-yet', () => {
    expectTypeOf(createClient5({ RESP: 3 })).toExtend<NodeRedisClient>();
    expectTypeOf(createClient6({ RESP: 2 })).toExtend<NodeRedisClient>();
    expectTypeOf<ReturnType<typeof redisInsStore>>().toExtend<NodeRedisClient>();
    expectTypeOf<Awaited<ReturnType<typeof redisStore>>>().toExtend<NodeRedisClient>();
    expectTypeOf<ReturnType<typeof redisClusterInsStore>>().toExtend<NodeRedisClient>();
    expectTypeOf<Awaited<ReturnType<typeof redisClusterStore>>>().toExtend<NodeRedisClient>();
  });

  it('takes nothing that is no client, and not a URL beside one', () => {
    expectTypeOf<{ get(key: string): Promise<string> }>().not.toExtend<NodeRedisClient>();
    expectTypeOf<string>().not.toExtend<NodeRedisClient>();
    expectTypeOf<{ url: string; client: NodeRedisClient }>().not.toExtend<RedisConnection>();
    expectTypeOf<{ host: string }>().not.toExtend<RedisConnection>();
  });
});
