import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BooksApp, PLATFORMS, ttlOf } from './support/books-app.js';
import { booksOf } from './support/sample-books.js';

const SLOW_MS = 40;

describe.each(PLATFORMS)('GET /books on %s', (platform) => {
  let app: BooksApp;
  beforeAll(async () => {
    app = await BooksApp.start(platform, { slowMs: SLOW_MS });
  });
  afterAll(() => app.close());

  it('filters by author and language, sorts and pages', async () => {
    const cheapAustens = await app.get(
      '/books?author=AUSTEN&language=English&sort=year&order=desc&limit=2&page=2',
    );
    const { books, ...rest } = JSON.parse(cheapAustens.text) as Record<string, unknown>;
    expect(rest).toEqual({ page: 2, limit: 2, total: 5 });
    expect(books).toMatchObject([{ name: 'mansfield-park' }, { name: 'pride-and-prejudice' }]);
    const prices = booksOf(await app.get('/books?sort=price&limit=100')).map(({ price }) => price);
    expect(prices).toEqual(prices.toSorted((a, b) => a - b));
    expect(new Set(prices).size).toBeGreaterThan(5);
  });

  it('runs the slow query once and then serves the same bytes for a minute', async () => {
    const runs = await app.runs('GET /books');
    const start = performance.now();
    const miss = await app.get('/books?author=hardy');
    // Timers may fire up to a millisecond early by this clock.
    expect(performance.now() - start).toBeGreaterThanOrEqual(SLOW_MS - 1);
    const hit = await app.get('/books?author=hardy');
    expect([miss.status, miss.verdict, hit.status, hit.verdict]).toEqual([200, 'MISS', 200, 'HIT']);
    expect(hit.text).toBe(miss.text);
    expect(hit.headers.get('content-type')).toBe(miss.headers.get('content-type'));
    expect(ttlOf(hit)).toBeGreaterThan(50);
    expect(ttlOf(hit)).toBeLessThanOrEqual(60);
    expect(await app.runs('GET /books')).toBe(runs + 1);
  });

  it('runs the slow query once for many readers at the same time', async () => {
    const runs = await app.runs('GET /books');
    const answers = await Promise.all(Array.from({ length: 50 }, () => app.get('/books?author=eliot')));
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(await app.runs('GET /books')).toBe(runs + 1);
  });

  it('keeps one entry for each query, in whatever order it is written', async () => {
    expect((await app.get('/books?author=verne&sort=year')).verdict).toBe('MISS');
    expect((await app.get('/books?sort=year&author=verne')).verdict).toBe('HIT');
    expect((await app.get('/books?author=verne&sort=title')).verdict).toBe('MISS');
  });

  it('serves readers with a session from the same entries', async () => {
    const cookie = await app.login('list-reader');
    expect((await app.get('/books?author=zola')).verdict).toBe('MISS');
    expect((await app.get('/books?author=zola', cookie)).verdict).toBe('HIT');
  });

  it('passes by the cache with ?nocache=1, which is not in the key', async () => {
    const first = await app.get('/books?author=kafka&nocache=1');
    expect(first.verdict).toBe('BYPASS');
    // It was not stored …
    const stored = await app.get('/books?author=kafka');
    expect(stored.verdict).toBe('MISS');
    // … and is not read, nor does it disturb what is stored.
    const runs = await app.runs('GET /books');
    expect((await app.get('/books?author=kafka&nocache=1')).verdict).toBe('BYPASS');
    expect(await app.runs('GET /books')).toBe(runs + 1);
    expect((await app.get('/books?author=kafka')).verdict).toBe('HIT');
    expect(first.text).toBe(stored.text);
  });

  it.each([
    '?page=0',
    '?limit=101',
    '?sort=colour',
    '?author=%00',
    '?order=up',
    '?nocache=yes',
    '?unknown=1',
    '?page=1&page=2',
  ])('refuses %s each time anew and keeps nothing', async (query) => {
    const runs = await app.runs('GET /books');
    const answers = [await app.get(`/books${query}`), await app.get(`/books${query}`)];
    expect(answers.map(({ status, verdict }) => [status, verdict])).toEqual([
      [400, 'MISS'],
      [400, 'MISS'],
    ]);
    expect(await app.runs('GET /books')).toBe(runs);
  });
});
