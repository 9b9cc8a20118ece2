import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, BooksApp, PLATFORMS, ttlOf } from './support/books-app.js';
import { newBook } from './support/sample-books.js';

const MINUTE = 60;

describe.each(PLATFORMS)('Pages on %s', (platform) => {
  let app: BooksApp;
  beforeAll(async () => {
    app = await BooksApp.start(platform);
  });
  afterAll(() => app.close());

  const readersOn = ({ text }: Answer) => Number(/id="readers">(\d+)</.exec(text)?.[1]);

  it.each([
    ['/', 'GET /', 20 * MINUTE],
    ['/about', 'GET /about', 120 * MINUTE],
    ['/books/emma/page', 'GET /books/:name/page', 30 * MINUTE],
  ])('keep %s for its time, with the same bytes', async (path, handler, ttl) => {
    const runs = await app.runs(handler);
    const miss = await app.get(path);
    const hit = await app.get(path);
    expect([miss.status, miss.verdict, hit.verdict]).toEqual([200, 'MISS', 'HIT']);
    expect(hit.text).toBe(miss.text);
    expect(hit.text).toMatch(/^<!doctype html>[\s\S]*<\/html>\s*$/);
    expect(hit.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(ttlOf(hit)).toBeGreaterThan(ttl - 20);
    expect(ttlOf(hit)).toBeLessThanOrEqual(ttl);
    expect(await app.runs(handler)).toBe(runs + 1);
  });

  it('make the home page for a reader who is logged in each time, and never for somebody else', async () => {
    const cookie = await app.login('greta');
    const runs = await app.runs('GET /');
    for (const _ of [1, 2]) {
      const own = await app.get('/', cookie);
      expect([own.verdict, own.text.includes('Welcome, greta')]).toEqual(['BYPASS', true]);
      expect(own.cacheStatus).toContain('detail=unless');
    }
    expect(await app.runs('GET /')).toBe(runs + 2);
    expect((await app.get('/')).text).not.toContain('greta');
  });

  it('count who is logged in anew after a login and a logout', async () => {
    const before = readersOn(await app.get('/'));
    expect((await app.get('/')).verdict).toBe('HIT');
    const cookie = await app.login('henry');
    const during = await app.get('/');
    expect([during.verdict, readersOn(during)]).toEqual(['MISS', before + 1]);
    expect((await app.get('/')).verdict).toBe('HIT');
    await app.ask('POST', '/logout', { cookie });
    const after = await app.get('/');
    expect([after.verdict, readersOn(after)]).toEqual(['MISS', before]);
  });

  it('show a new book on the home page at once, escaped, and leave the others', async () => {
    await app.get('/');
    await app.get('/about');
    const book = { ...newBook('youngest'), title: '<script>alert(1)</script>', year: 2100 };
    await app.ask('POST', '/books', { body: book });
    const home = await app.get('/');
    expect([home.verdict, home.text.includes('/books/youngest/page')]).toEqual(['MISS', true]);
    expect(home.text).toContain('&lt;script&gt;alert(1)');
    expect(home.text).not.toContain('<script>alert(1)');
    expect((await app.get('/about')).verdict).toBe('HIT');
  });

  it('are people-readable for a book that does not exist, and kept by nobody', async () => {
    const runs = await app.runs('GET /books/:name/page');
    for (const _ of [1, 2]) {
      const missing = await app.get('/books/nothing/page');
      expect([missing.status, missing.verdict]).toEqual([404, 'MISS']);
      expect(missing.headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(missing.text).toContain('There is no book &quot;nothing&quot;');
    }
    expect(await app.runs('GET /books/:name/page')).toBe(runs + 2);
  });
});
