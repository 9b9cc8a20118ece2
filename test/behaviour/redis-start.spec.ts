import { CACHE_MANAGER } from '@nestjs/cache-manager';
import { Inject, Injectable, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { Cache } from 'cache-manager';
import { CachingModule, redis } from 'nestjs-caching';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { poll } from '../support/redis/poll.js';
import { infoField, redisCommand } from '../support/redis/redis-command.js';
import { type RedisServer, startRedis } from '../support/redis/redis-server.js';

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.close());

/** Connections that were ever made, the one that asks included. */
async function connectionsMade(): Promise<number> {
  const info = String(await redisCommand(server.url, ['INFO', 'stats']));
  return Number(infoField(info, 'total_connections_received'));
}

describe('an application on Redis', () => {
  it('that fails to be built has opened no connection, as nobody could close it', async () => {
    @Injectable()
    class Broken {
      constructor(@Inject(CACHE_MANAGER) readonly cache: Cache) {
        throw new Error('broken');
      }
    }
    @Module({ providers: [Broken] })
    class BrokenModule {}
    const before = await connectionsMade();
    const building = Test.createTestingModule({
      imports: [CachingModule.forRoot({ store: redis({ url: server.url }) }), BrokenModule],
    }).compile();
    await expect(building).rejects.toThrow('broken');
    expect(await connectionsMade()).toBe(before + 1);
  });

  it('is connected for whoever needs it while it is being built', async () => {
    const GREETING = Symbol('greeting');
    const module = await Test.createTestingModule({
      imports: [CachingModule.forRoot({ store: redis({ url: server.url }), storeTimeout: '5s' })],
      providers: [
        {
          provide: GREETING,
          inject: [CACHE_MANAGER],
          useFactory: async (cache: Cache) => {
            await poll('a value to be kept', async () => {
              await cache.set('greeting', 'hello', 60_000);
              return cache.get('greeting');
            });
            return cache.get('greeting');
          },
        },
      ],
    }).compile();
    try {
      expect(module.get(GREETING)).toBe('hello');
    } finally {
      await module.close();
    }
  });

  it('that is closed before it has started opens none either', async () => {
    const before = await connectionsMade();
    const module = await Test.createTestingModule({
      imports: [CachingModule.forRoot({ store: redis({ url: server.url }) })],
    }).compile();
    await module.close();
    expect(await connectionsMade()).toBe(before + 1);
  });
});
