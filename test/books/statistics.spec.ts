import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BooksApp, PLATFORMS } from './support/books-app.js';

describe.each(PLATFORMS)('GET /statistics/:language on %s', (platform) => {
  let app: BooksApp;
  beforeAll(async () => {
    app = await BooksApp.start(platform);
  });
  afterAll(() => app.close());

  it('is computed once for each language, until one or all are evicted, or a book changes', async () => {
    const computed = async (...languages: string[]) => {
      const before = await app.runs('StatisticsService.of');
      for (const language of languages) expect((await app.get(`/statistics/${language}`)).status).toBe(200);
      return (await app.runs('StatisticsService.of')) - before;
    };
    expect(await computed('English', 'French')).toBe(2);
    expect(await computed('English', 'French')).toBe(0);
    expect((await app.ask('DELETE', '/statistics/English')).status).toBe(204);
    expect(await computed('English', 'French')).toBe(1);
    expect((await app.ask('DELETE', '/statistics')).status).toBe(204);
    expect(await computed('English', 'French')).toBe(2);
  });

  it('is the same from the cache, its Map and Date included', async () => {
    const first = await app.get('/statistics/German');
    expect(JSON.parse(first.text)).toMatchObject({
      language: 'German',
      byCentury: expect.any(Object) as unknown,
    });
    expect((await app.get('/statistics/German')).text).toBe(first.text);
  });
});
