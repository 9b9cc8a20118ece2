import { Controller, Get, Inject, Injectable, Param } from '@nestjs/common';
import { CacheEvictionService, type CachingModuleOptions, Memoize } from 'nestjs-caching';
import { afterEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';

interface Book {
  title: string;
  tags: string[];
}

describe.each(PLATFORMS)('@Memoize on %s', (platform) => {
  let running: RunningApplication | undefined;
  let runs: string[] = [];

  @Injectable()
  class BooksService {
    @Memoize('1m')
    async book(title: string): Promise<Book> {
      runs.push(title);
      return { title, tags: ['a'] };
    }
  }

  @Controller('books')
  class BooksController {
    constructor(@Inject(BooksService) private readonly books: BooksService) {}

    @Get(':title') async one(@Param('title') title: string) {
      const book = await this.books.book(title);
      book.tags.push('changed');
      return book;
    }
  }

  const start = async (caching: CachingModuleOptions | false = {}) => {
    runs = [];
    running = await startApplication(platform, {
      caching,
      controllers: [BooksController],
      providers: [BooksService],
    });
    return running;
  };

  afterEach(async () => {
    await running?.close();
    running = undefined;
  });

  it('runs a method once for equal arguments until its time is over, and gives each caller its own copy', async () => {
    const app = await start();
    const answers = [
      await app.request('/books/a'),
      await app.request('/books/a'),
      await app.request('/books/b'),
    ];
    expect(answers.map(({ text }) => JSON.parse(text) as Book)).toEqual(
      ['a', 'a', 'b'].map((title) => ({ title, tags: ['a', 'changed'] })),
    );
    expect(runs).toEqual(['a', 'b']);
    expect(app.events.map(({ type }) => type)).toEqual([
      'miss',
      'handled',
      'stored',
      'hit',
      'miss',
      'handled',
      'stored',
    ]);
    app.clock.advance(60_000);
    await app.request('/books/a');
    expect(runs).toEqual(['a', 'b', 'a']);
  });

  it('runs it uncached where caching is switched off, and where the module is not there', async () => {
    for (const caching of [{ enabled: false }, false] as const) {
      const app = await start(caching);
      await app.request('/books/a');
      await app.request('/books/a');
      expect(runs).toEqual(['a', 'a']);
      await app.close();
    }
    running = undefined;
  });

  it('evicts by method, by one call, and by all(), and not by path', async () => {
    const app = await start();
    const evictions = app.app.get(CacheEvictionService);
    const ask = async () => {
      runs = [];
      await app.request('/books/a');
      await app.request('/books/b');
      return runs;
    };
    expect(await ask()).toEqual(['a', 'b']);
    expect(await ask()).toEqual([]);
    await evictions.byMemoized(BooksService, 'book', ['a']);
    expect(await ask()).toEqual(['a']);
    await evictions.byMemoized(BooksService, 'book');
    expect(await ask()).toEqual(['a', 'b']);
    await evictions.all();
    expect(await ask()).toEqual(['a', 'b']);
    await evictions.byPrefix('/');
    expect(await ask()).toEqual([]);
  });
});
