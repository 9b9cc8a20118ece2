import { Controller, Get, Query } from '@nestjs/common';
import { CacheView } from 'nestjs-caching';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WINDOW, WINDOW_FILLS } from '../../libs/caching/src/http/route-watch.js';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';

describe.each(PLATFORMS)('on %s, a route', (platform) => {
  let running: RunningApplication;
  let handlerMs: number;

  @Controller('books')
  class BooksController {
    @Get()
    @CacheView({ ttl: '1h' })
    list(@Query('page') page: string) {
      running.clock.advance(handlerMs);
      return { page };
    }
  }

  beforeEach(async () => {
    handlerMs = 0;
    running = await startApplication(platform, { controllers: [BooksController] });
  });

  afterEach(() => running.close());

  let page = 0;
  /** As many new URLs as a window has fills, each asked for so often, in the time of two. */
  const window = async (times: number) => {
    for (let sent = 0; sent < WINDOW_FILLS; sent += 50) {
      const targets = Array.from({ length: 50 }, () => `/books?page=${page++}`);
      for (let time = 0; time < times; time++)
        await Promise.all(targets.map((target) => running.request(target)));
      running.clock.advance((2 * WINDOW * 50) / WINDOW_FILLS);
    }
  };
  const warnings = () => running.logger.warnings.filter((line) => line.includes('costs more than it saves'));

  it('whose entries nobody asks for again is told of once, after two windows', async () => {
    handlerMs = 20;
    await window(1);
    expect(warnings()).toEqual([]);
    await window(1);
    expect(warnings()).toHaveLength(1);
    expect(warnings()[0]).toMatch(
      /^BooksController\.list: .*Of its last 1000 requests 0 \(0\.0 %\).*saved 0\.000 s.*about 0\.100 s/,
    );
    await window(1);
    await window(1);
    expect(warnings()).toHaveLength(1);
  }, 60_000);

  it('whose handler is as fast as the cache is told of, however often it hits', async () => {
    await window(2);
    await window(2);
    expect(warnings()).toHaveLength(1);
    expect(warnings()[0]).toMatch(/Of its last 2000 requests 1000 \(50\.0 %\)/);
  }, 60_000);

  it('whose hits save more than storing takes is not', async () => {
    handlerMs = 20;
    await window(2);
    await window(2);
    await window(2);
    expect(warnings()).toEqual([]);
  }, 60_000);
});
