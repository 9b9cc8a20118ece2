import { Controller, Get, Param, Put, UseInterceptors } from '@nestjs/common';
import { CacheEvents, CacheEvict, type CacheTags, CacheView, redis } from 'nestjs-caching';
import type { Server } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { RedisConnection } from '../../../libs/caching/src/stores/redis/create-redis-link.js';
import { type Platform, startApplication } from '../application.js';
import { acknowledges } from '../redis/applications.js';
import { CacheTimes } from './cache-times.js';
import type { Stock } from './stock.js';

/** As the module has it where nobody says otherwise. Milliseconds. */
export const STORE_TIMEOUT = 100;
export const HEARTBEAT = 500;

/** Bytes of the tier in process: room for some of what is asked for, as in life. */
export const MEMORY_BYTES = 1024 * 1024;

const articleTag: CacheTags = ({ params }) => [`article:${params.id}`];
const lateArticleTag: CacheTags = async ({ params }) => {
  await nextTurn();
  return [`article:${params.id}`];
};

/** An instance under load. */
export interface Shop {
  readonly port: number;
  readonly times: CacheTimes;
  /** Resolves when a response for `/probe/…` was stored in Redis. */
  stored(): Promise<void>;
  close(): Promise<void>;
}

function shopController(stock: Stock, times: CacheTimes) {
  @Controller()
  class ShopController {
    @Get('articles/:id') @CacheView({ tags: articleTag }) @UseInterceptors(times) article(
      @Param('id') id: string,
    ) {
      return stock.read(id);
    }

    /** Two look-ups: its tags come late. */
    @Get('late-tags/:id') @CacheView({ tags: lateArticleTag }) @UseInterceptors(times) lateTags(
      @Param('id') id: string,
    ) {
      return stock.read(id);
    }

    @Get('leased/:id')
    @CacheView({ tags: articleTag, coalesce: 'cluster' })
    @UseInterceptors(times)
    leased(@Param('id') id: string) {
      return stock.read(id);
    }

    @Get('fresh/:id') @CacheView() @UseInterceptors(times) fresh(@Param('id') id: string) {
      return stock.read(id);
    }

    @Get('probe/:id') @CacheView() probe(@Param('id') id: string) {
      return stock.read(id);
    }

    @Put('articles/:id') @CacheEvict({ tags: articleTag }) change(@Param('id') id: string) {
      return { version: stock.change(id) };
    }
  }
  return ShopController;
}

export interface ShopOptions {
  readonly platform: Platform;
  readonly connection: RedisConnection;
  readonly namespace: string;
  readonly stock: Stock;
  /** Whether to wait until Redis acknowledges evictions. */
  readonly connected: boolean;
}

/** Starts an instance with the options that the module has by itself, but for the size of its memory. */
export async function startShop({
  platform,
  connection,
  namespace,
  stock,
  connected,
}: ShopOptions): Promise<Shop> {
  const times = new CacheTimes();
  const running = await startApplication(platform, {
    controllers: [shopController(stock, times)],
    realTime: true,
    caching: {
      store: redis(connection),
      namespace,
      memory: { maxBytes: MEMORY_BYTES },
      ttl: '20s',
      storeTimeout: STORE_TIMEOUT,
      heartbeat: HEARTBEAT,
    },
  });
  times.watch(running.app.getHttpServer() as Server);
  const waiting: (() => void)[] = [];
  running.app.get(CacheEvents).on((event) => {
    // They would be all that grows here.
    running.events.length = 0;
    if (event.type !== 'stored' || !event.route.includes('probe')) return;
    for (const resolve of waiting.splice(0)) resolve();
  });
  if (connected) await acknowledges(running);
  return {
    port: running.port,
    times,
    stored: () => new Promise((resolve) => waiting.push(resolve)),
    close: () => running.close(),
  };
}
