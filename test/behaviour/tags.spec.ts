import { Controller, Get, HttpCode, Post } from '@nestjs/common';
import { CacheEvict, CacheEvictionService, CacheView, type RequestView } from 'nestjs-caching';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';

describe.each(PLATFORMS)('tags that requests make on %s', (platform) => {
  let running: RunningApplication;
  const namesOf = ({ query }: RequestView<{ query: { name: string; count?: string } }>) =>
    Array.from({ length: Number(query.count ?? 1) }, (_, at) => `book:${query.name}:${at}`);

  beforeEach(async () => {
    @Controller('books')
    class BooksController {
      @Get() @CacheView({ tags: namesOf }) list() {
        return { books: [] };
      }

      @Post() @HttpCode(204) @CacheEvict({ tags: namesOf }) write() {
        return undefined;
      }
    }
    running = await startApplication(platform, { controllers: [BooksController] });
  });

  afterEach(() => running.close());

  it('may be of any length, and evict exactly what carries them', async () => {
    const long = 'x'.repeat(300);
    const read = async (name: string) => (await running.request(`/books?name=${name}`)).verdict;
    await read(`${long}1`);
    await read(`${long}2`);
    await running.app.get(CacheEvictionService).byTag(`book:${long}1:0`);
    expect([await read(`${long}1`), await read(`${long}2`)]).toEqual(['MISS', 'HIT']);
    expect((await running.request(`/books?name=${long}2`, { method: 'POST' })).status).toBe(204);
    expect(await read(`${long}2`)).toBe('MISS');
  });

  it('may be 256; a response with more is sent and not stored', async () => {
    const read = (count: number) => running.request(`/books?name=a&count=${count}`);
    expect((await read(256)).cacheStatus).toContain('stored');
    const more = await read(257);
    expect(more.status).toBe(200);
    expect(more.cacheStatus).toBe('nestjs-caching; fwd=uri-miss; detail=tags');
    expect((await read(257)).verdict).toBe('MISS');
  });

  it('are all evicted, however many a write names', async () => {
    await running.request('/books?name=a&count=200');
    expect((await running.request('/books?name=a&count=5000', { method: 'POST' })).status).toBe(204);
    expect((await running.request('/books?name=a&count=200')).verdict).toBe('MISS');
  });
});
