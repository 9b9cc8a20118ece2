import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ModelService } from '../../apps/books-api/src/analysis/model-service.js';
import { type Answer, BooksApp, NO_MODEL, PLATFORMS } from './support/books-app.js';

const analyse = (app: BooksApp, body: unknown): Promise<Answer> => app.ask('POST', '/analysis', { body });

describe.each(PLATFORMS)('POST /analysis on %s', (platform) => {
  let app: BooksApp;
  beforeAll(async () => {
    app = await BooksApp.start(platform, { ownModel: true });
  });
  afterAll(() => app.close());

  it('computes the statistics of the text', async () => {
    const text = 'The cat sat. The cat ran away! Did the dog see the cat?';
    expect(JSON.parse((await analyse(app, { text })).text)).toMatchObject({
      words: 13,
      distinctWords: 8,
      sentences: 3,
      wordsPerSentence: { mean: 4.33, median: 4, longest: 6 },
      frequentWords: expect.arrayContaining([
        { word: 'the', count: 4 },
        { word: 'cat', count: 3 },
      ]),
      frequentPairs: expect.arrayContaining([{ words: 'the cat', count: 3 }]),
    });
  });

  it('asks the model once for each text', async () => {
    const runs = await app.runs('POST /analysis');
    const miss = await analyse(app, { text: 'Once upon a time.' });
    const hit = await analyse(app, { text: 'Once upon a time.' });
    expect([miss.status, miss.verdict, hit.status, hit.verdict]).toEqual([200, 'MISS', 200, 'HIT']);
    expect(hit.text).toBe(miss.text);
    expect((await analyse(app, { text: 'Once upon another time.' })).verdict).toBe('MISS');
    expect(await app.runs('POST /analysis')).toBe(runs + 2);
  });

  it('always runs with bypass: true, and shares a key without and with bypass: false', async () => {
    const text = 'It was a dark and stormy night.';
    const runs = await app.runs('POST /analysis');
    const verdicts = [];
    for (const body of [
      { text, bypass: true },
      { text, bypass: false },
      { text },
      { text, bypass: true },
      { bypass: false, text },
    ]) {
      verdicts.push((await analyse(app, body)).verdict);
    }
    expect(verdicts).toEqual(['BYPASS', 'MISS', 'HIT', 'BYPASS', 'HIT']);
    expect(await app.runs('POST /analysis')).toBe(runs + 3);
  });

  it('keeps no error of the model', async () => {
    const runs = await app.runs('POST /analysis');
    for (const _ of [1, 2]) {
      const refused = await analyse(app, { text: '1 2 3' });
      expect([refused.status, refused.verdict]).toEqual([422, 'MISS']);
    }
    expect(await app.runs('POST /analysis')).toBe(runs + 2);
  });

  it('asks the model at MODEL_URL, which belongs to somebody else and stays', async () => {
    const guest = await BooksApp.start(platform, { modelUrl: app.nest.get(ModelService).url });
    const answer = await analyse(guest, { text: 'Two words.' });
    await guest.close();
    expect(JSON.parse(answer.text)).toMatchObject({ words: 2 });
    expect((await analyse(app, { text: 'Still here.' })).status).toBe(200);
  });

  it.each([{}, { text: '' }, { text: 1 }, { text: 'a', bypass: 'true' }, { text: 'a'.repeat(50_001) }])(
    'refuses a body that is not valid, before the handler',
    async (body) => {
      const runs = await app.runs('POST /analysis');
      for (const _ of [1, 2]) expect((await analyse(app, body)).status).toBe(400);
      expect(await app.runs('POST /analysis')).toBe(runs);
    },
  );
});

describe.each(PLATFORMS)('The model service on %s', (platform) => {
  it('ends with the application that started it', async () => {
    const app = await BooksApp.start(platform, { ownModel: true });
    const { url } = app.nest.get(ModelService);
    expect((await fetch(url)).status).toBe(404);
    await app.close();
    await expect(fetch(url)).rejects.toThrow('fetch failed');
  });

  it('gives two 502s, two handler runs and nothing stored where MODEL_URL is wrong', async () => {
    const app = await BooksApp.start(platform, { modelUrl: NO_MODEL });
    for (const runs of [1, 2]) {
      const failed = await analyse(app, { text: 'Is anybody there?' });
      expect([failed.status, failed.verdict]).toEqual([502, 'MISS']);
      expect(failed.cacheStatus).not.toContain('stored');
      expect(await app.runs('POST /analysis')).toBe(runs);
    }
    await app.close();
  });
});
