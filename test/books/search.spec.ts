import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, BooksApp, PLATFORMS } from './support/books-app.js';
import { booksOf } from './support/sample-books.js';

describe.each(PLATFORMS)('POST /books/search on %s', (platform) => {
  let app: BooksApp;
  beforeAll(async () => {
    app = await BooksApp.start(platform);
  });
  afterAll(() => app.close());

  const search = (body: unknown): Promise<Answer> => app.ask('POST', '/books/search', { body });
  const names = (answer: Answer) => booksOf(answer).map(({ name }) => name);

  it('finds words of title and author', async () => {
    expect(names(await search({ text: 'dostoevsky crime' }))).toEqual(['crime-and-punishment']);
    expect(names(await search({ text: 'kafka -castle' })).toSorted()).toEqual([
      'the-metamorphosis',
      'the-trial',
    ]);
    expect(names(await search({ text: 'time', language: 'Russian' }))).toEqual(['a-hero-of-our-time']);
    expect(names(await search({ text: "'; drop table books; --" }))).toEqual([]);
  });

  it('has one entry for each body, whatever the order of its members', async () => {
    const runs = await app.runs('POST /books/search');
    const miss = await search({ text: 'hesse', limit: 2 });
    const hit = await search({ limit: 2, text: 'hesse' });
    expect([miss.status, miss.verdict, hit.status, hit.verdict]).toEqual([200, 'MISS', 200, 'HIT']);
    expect(hit.text).toBe(miss.text);
    expect((await search({ text: 'hesse', limit: 1 })).verdict).toBe('MISS');
    expect((await search({ text: 'hesse' })).verdict).toBe('MISS');
    expect(await app.runs('POST /books/search')).toBe(runs + 3);
  });

  it.each([
    {},
    { text: '' },
    { text: 5 },
    { text: 'a\0b' },
    { text: 'a', limit: '5' },
    { text: 'a', more: 1 },
    ['text'],
  ])('refuses %j and keeps nothing of it', async (body) => {
    expect((await search(body)).status).toBe(400);
    const again = await search(body);
    expect([again.status, again.verdict === 'HIT']).toEqual([400, false]);
  });
});
