import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { BooksApp, PLATFORMS, ttlOf } from './support/books-app.js';
import { booksOf, newBook, priceOf } from './support/sample-books.js';

describe.each(PLATFORMS)('Writes on %s', (platform) => {
  let app: BooksApp;
  beforeAll(async () => {
    app = await BooksApp.start(platform, { slowMs: 20 });
  });
  afterAll(() => app.close());

  /** Every way to see a book of that name and author, ready to be asked. */
  const views = (name: string, author: string) => [
    () => app.get(`/books?author=${author}`),
    () => app.get(`/books?author=${author}&sort=price&limit=50`),
    () => app.ask('POST', '/books/search', { body: { text: author } }),
    () => app.ask('POST', '/books/search', { body: { text: author, language: 'English', limit: 50 } }),
    () => app.get(`/books/${name}`),
    () => app.get(`/books/${name}/page`),
  ];

  it('show the new price in the list, every search, the book and its page after a PUT', async () => {
    const asks = views('dracula', 'stoker');
    for (const ask of asks) {
      expect((await ask()).verdict).toBe('MISS');
      expect((await ask()).verdict).toBe('HIT');
    }
    const put = await app.ask('PUT', '/books/dracula', { body: { price: 77.25 } });
    expect([put.status, put.text]).toEqual([204, '']);
    for (const ask of asks) {
      const answer = await ask();
      expect([answer.verdict, answer.text.includes('77.25')]).toEqual(['MISS', true]);
    }
  });

  it('leave the other books and the languages where they are after a PUT', async () => {
    await Promise.all([app.get('/books/emma'), app.get('/languages')]);
    await app.ask('PUT', '/books/persuasion', { body: { price: 3 } });
    expect((await app.get('/books/emma')).verdict).toBe('HIT');
    expect((await app.get('/languages')).verdict).toBe('HIT');
  });

  it('answer a POST with 201 and the list, and show the book everywhere', async () => {
    const book = newBook('0-first-of-all');
    const asks = [
      () => app.get('/books'),
      () => app.ask('POST', '/books/search', { body: { text: book.title } }),
    ];
    for (const ask of asks) {
      expect(priceOf(await ask(), book.name)).toBeUndefined();
      expect((await ask()).verdict).toBe('HIT');
    }
    const added = await app.ask('POST', '/books', { body: book });
    expect(added.status).toBe(201);
    expect(booksOf(added)[0]).toEqual(book);
    for (const ask of asks) expect(priceOf(await ask(), book.name)).toBe(book.price);
  });

  it('count the languages anew after a POST and a DELETE', async () => {
    const book = newBook('language-counter');
    const count = async () => {
      const answer = await app.get('/languages');
      const languages = JSON.parse(answer.text) as { language: string; books: number }[];
      return [answer.verdict, languages.find(({ language }) => language === book.language)?.books];
    };
    await count();
    expect(await count()).toEqual(['HIT', undefined]);
    await app.ask('POST', '/books', { body: book });
    expect(await count()).toEqual(['MISS', 1]);
    expect(await count()).toEqual(['HIT', 1]);
    expect((await app.ask('DELETE', `/books/${book.name}`)).status).toBe(204);
    expect(await count()).toEqual(['MISS', undefined]);
  });

  it('keep the languages for a day', async () => {
    await app.get('/languages');
    const ttl = ttlOf(await app.get('/languages'));
    expect(ttl).toBeGreaterThan(86_000);
    expect(ttl).toBeLessThanOrEqual(86_400);
  });

  it.each([
    ['a POST that is not valid', 'POST', '/books', { name: 'emma', price: -1 }, 400],
    ['a POST of a book that exists', 'POST', '/books', { ...newBook('x'), name: 'emma' }, 409],
    ['a PUT that is not valid', 'PUT', '/books/emma', { price: 'cheap' }, 400],
    ['a PUT with a member too many', 'PUT', '/books/emma', { price: 1, title: 'Emma' }, 400],
    ['a PUT of no such book', 'PUT', '/books/no-such-book', { price: 1 }, 404],
    ['a DELETE of no such book', 'DELETE', '/books/no-such-book', undefined, 404],
  ])('evict nothing after %s', async (_, method, path, body, status) => {
    const asks = [...views('emma', 'austen'), () => app.get('/languages'), () => app.get('/')];
    for (const ask of asks) await ask();
    const failed = await app.ask(method, path, { body });
    expect(failed.status).toBe(status);
    for (const ask of asks) expect((await ask()).verdict).toBe('HIT');
  });
});

describe.each(PLATFORMS)('A write on %s while the slow list is being made', (platform) => {
  let app: BooksApp;
  beforeAll(async () => {
    app = await BooksApp.start(platform, { slowMs: 250 });
  });
  afterAll(() => app.close());

  it('wins: who reads after it gets the new price, and so does everybody later', async () => {
    const path = '/books?author=orwell';
    const old = priceOf(await app.get(`${path}&nocache=1`), 'animal-farm');
    const runs = await app.runs('GET /books');
    const early = app.get(path);
    await vi.waitFor(async () => expect(await app.runs('GET /books')).toBe(runs + 1), { interval: 5 });
    expect((await app.ask('PUT', '/books/animal-farm', { body: { price: 1984 } })).status).toBe(204);
    const after = await app.get(path);
    expect(old).not.toBe(1984);
    expect([after.verdict, priceOf(after, 'animal-farm')]).toEqual(['MISS', 1984]);
    expect((await early).status).toBe(200);
    expect(priceOf(await app.get(path), 'animal-farm')).toBe(1984);
    expect(await app.runs('GET /books')).toBe(runs + 2);
  });
});
