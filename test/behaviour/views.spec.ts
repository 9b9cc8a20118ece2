import { Body, Controller, Get, HttpCode, Post } from '@nestjs/common';
import { CacheView, jsonBody } from 'nestjs-caching';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { comparable } from '../support/raw-http.js';

describe.each(PLATFORMS)('a cached view on %s', (platform) => {
  let runs: number;
  let running: RunningApplication;

  beforeEach(async () => {
    runs = 0;
    @Controller('books')
    class BooksController {
      @Get() @CacheView('1m') list() {
        return { run: ++runs };
      }

      @Post('search') @HttpCode(200) @CacheView({ key: jsonBody() }) search(@Body() _body: unknown) {
        return { run: ++runs };
      }
    }
    running = await startApplication(platform, { controllers: [BooksController] });
  });

  afterEach(() => running.close());

  it('is sent again, byte for byte, without running the handler', async () => {
    const miss = await running.request('/books');
    const hit = await running.request('/books');
    expect(miss.cacheStatus).toBe('nestjs-caching; fwd=uri-miss; stored; ttl=60');
    expect(hit.cacheStatus).toBe('nestjs-caching; hit; ttl=60');
    expect([miss.verdict, hit.verdict]).toEqual(['MISS', 'HIT']);
    expect(comparable(hit)).toEqual(comparable(miss));
    expect(runs).toBe(1);
  });

  it('runs its handler again once its time to live is over', async () => {
    await running.request('/books');
    running.clock.advance(59_999);
    expect((await running.request('/books')).verdict).toBe('HIT');
    running.clock.advance(1);
    expect((await running.request('/books')).verdict).toBe('MISS');
    expect(runs).toBe(2);
  });

  it('is kept by the JSON body where its key says so', async () => {
    const search = (body: unknown) => running.request('/books/search', { method: 'POST', body });
    expect((await search({ a: 1, b: [1, 2] })).verdict).toBe('MISS');
    expect((await search({ b: [1, 2], a: 1 })).verdict).toBe('HIT');
    expect((await search({ b: [2, 1], a: 1 })).verdict).toBe('MISS');
    expect(runs).toBe(2);
  });
});
