import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BooksApp, PLATFORMS, ttlOf } from './support/books-app.js';
import { newBook } from './support/sample-books.js';

describe.each(PLATFORMS)('GET /books/:name on %s', (platform) => {
  let app: BooksApp;
  beforeAll(async () => {
    app = await BooksApp.start(platform);
  });
  afterAll(() => app.close());

  it('keeps a book for five minutes', async () => {
    const runs = await app.runs('GET /books/:name');
    const miss = await app.get('/books/ulysses');
    const hit = await app.get('/books/ulysses');
    expect(JSON.parse(miss.text)).toMatchObject({ author: 'James Joyce', year: 1922, language: 'English' });
    expect([miss.verdict, hit.verdict]).toEqual(['MISS', 'HIT']);
    expect(hit.text).toBe(miss.text);
    expect(ttlOf(hit)).toBeGreaterThan(290);
    expect(ttlOf(hit)).toBeLessThanOrEqual(300);
    expect(await app.runs('GET /books/:name')).toBe(runs + 1);
  });

  it('keeps a 404 for five seconds at most', async () => {
    const runs = await app.runs('GET /books/:name');
    const miss = await app.get('/books/no-such-book');
    const hit = await app.get('/books/no-such-book');
    expect([miss.status, miss.verdict, hit.status, hit.verdict]).toEqual([404, 'MISS', 404, 'HIT']);
    expect(hit.text).toBe(miss.text);
    expect(ttlOf(hit)).toBeLessThanOrEqual(5);
    expect(await app.runs('GET /books/:name')).toBe(runs + 1);
  });

  it('never hides a new book behind a remembered 404, however its name was spelled', async () => {
    const spellings = ['/books/new-spelled', '/books/%6eew-spelled', '/books/new%2Dspelled'];
    for (const path of spellings) {
      expect((await app.get(path)).status).toBe(404);
      expect((await app.get(path)).verdict).toBe('HIT');
    }
    const added = await app.ask('POST', '/books', { body: newBook('new-spelled') });
    expect(added.status).toBe(201);
    for (const path of spellings) {
      const found = await app.get(path);
      expect([path, found.status, found.verdict]).toEqual([path, 200, 'MISS']);
    }
  });

  it('never hides a new book behind a 404 that was being looked up while it was added', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `new-racing-${i}`);
    await Promise.all(
      names.map(async (name) => {
        const lookups = Promise.all([app.get(`/books/${name}`), app.get(`/books/${name}`)]);
        const added = await app.ask('POST', '/books', { body: newBook(name) });
        expect(added.status).toBe(201);
        expect((await app.get(`/books/${name}`)).status).toBe(200);
        await lookups;
        expect((await app.get(`/books/${name}`)).status).toBe(200);
      }),
    );
  });

  it.each(['a%00b', 'Emma', '-emma', '%20', 'emma%2Fpage', '..%2Femma', "emma'--"])(
    'finds no book %s, asks no database for it, and keeps that too for five seconds at most',
    async (name) => {
      const runs = await app.runs('GET /books/:name');
      for (const verdict of ['MISS', 'HIT']) {
        const missing = await app.get(`/books/${name}`);
        expect([missing.status, missing.verdict]).toEqual([404, verdict]);
      }
      expect(await app.runs('GET /books/:name')).toBe(runs);
    },
  );

  it('forgets a book that was removed', async () => {
    await app.ask('POST', '/books', { body: newBook('short-lived') });
    expect((await app.get('/books/short-lived')).status).toBe(200);
    expect((await app.get('/books/short-lived')).verdict).toBe('HIT');
    expect((await app.ask('DELETE', '/books/short-lived')).status).toBe(204);
    expect((await app.get('/books/short-lived')).status).toBe(404);
  });
});
