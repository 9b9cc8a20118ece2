import type { LoggerService } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { settingsFrom } from '../../apps/books-api/src/settings.js';
import { acknowledges } from '../support/redis/applications.js';
import { poll } from '../support/redis/poll.js';
import { type RedisServer, startRedis } from '../support/redis/redis-server.js';
import { BooksApp, PLATFORMS } from './support/books-app.js';

/** Each application starts a PostgreSQL of its own, which takes seconds on a busy machine. */
const LONG = 60_000;

function listener(): LoggerService & { readonly lines: string[] } {
  const lines: string[] = [];
  const note = (message: unknown) => void lines.push(String(message));
  return { lines, log: () => undefined, warn: note, error: note };
}

const hits = (app: BooksApp, path: string) =>
  poll(`a hit of ${path}`, async () => (await app.get(path)).verdict === 'HIT' || undefined);

describe.each(PLATFORMS)('The books API with REDIS_URL on %s', (platform) => {
  const logger = listener();
  let server: RedisServer;
  let a: BooksApp;
  let b: BooksApp;

  beforeAll(async () => {
    server = await startRedis();
    const start = () => BooksApp.start(platform, { redisUrl: server.url }, logger);
    [a, b] = await Promise.all([start(), start()]);
    for (const { nest } of [a, b]) await acknowledges({ app: nest });
  });
  afterAll(async () => {
    await Promise.all([a.close(), b.close()]);
    await server.close();
  });

  it('shares pages with other instances, and evictions', async () => {
    await hits(a, '/books/emma');
    expect((await b.get('/books/emma')).verdict).toBe('HIT');
    expect(await b.runs('GET /books/:name')).toBe(0);
    expect((await a.ask('PUT', '/books/emma', { body: { price: 3.5 } })).status).toBe(204);
    await poll('B misses', async () => (await b.get('/books/emma')).verdict === 'MISS' || undefined, 1_000);
    expect(logger.lines).toEqual([]);
  });

  it('shares values of CACHE_MANAGER', async () => {
    expect((await a.ask('PUT', '/notice', { body: { text: 'Closed' } })).status).toBe(204);
    expect((await b.get('/notice')).text).toBe('{"text":"Closed"}');
  });
});

describe('The books API with REDIS_URL, while Redis is away', () => {
  it(
    'starts, says so in one line, queues evictions, and finds Redis when it comes',
    async () => {
      const { lines, ...logger } = listener();
      await using server = await startRedis();
      await server.kill();
      const app = await BooksApp.start('express', { redisUrl: server.url }, logger);
      try {
        expect((await app.get('/books/emma')).verdict).toBe('MISS');
        expect((await app.ask('PUT', '/books/emma', { body: { price: 3.5 } })).status).toBe(204);
        expect((await app.get('/books/emma')).text).toContain('"price":3.5');
        const own = () => lines.filter((line) => !line.startsWith("The cache store's "));
        expect(own()).toEqual([
          expect.stringContaining('Redis is away: connect ECONNREFUSED'),
          'The eviction of "emma" waits for Redis',
        ]);
        await server.restart();
        await hits(app, '/books/emma');
        expect((await app.get('/books/emma')).text).toContain('"price":3.5');
        expect((await app.ask('PUT', '/books/emma', { body: { price: 4 } })).status).toBe(204);
        expect(own()).toHaveLength(2);
      } finally {
        await app.close();
      }
    },
    LONG,
  );
});

describe('The books API with REDIS_URL ends at once', () => {
  it.each(['well', 'silent'])(
    'and leaves no connection behind, Redis being %s',
    async (state) => {
      await using server = await startRedis();
      const app = await BooksApp.start('fastify', { redisUrl: server.url }, listener());
      await acknowledges({ app: app.nest });
      if (state === 'silent') server.stop();
      const begin = performance.now();
      await app.close();
      expect(performance.now() - begin).toBeLessThan(2_000);
      if (state === 'silent') server.resume();
      const others = async () =>
        String(await server.command('CLIENT', 'LIST'))
          .split('\n')
          .filter((line) => line.startsWith('id=') && !line.includes('cmd=client'));
      await poll('all connections are closed', async () => (await others()).length === 0 || undefined);
    },
    LONG,
  );
});

describe('REDIS_URL', () => {
  it('comes from the environment; empty it is as if it was not there', () => {
    expect(settingsFrom({ REDIS_URL: 'redis://127.0.0.1:6379' }).redisUrl).toBe('redis://127.0.0.1:6379');
    expect(settingsFrom({ REDIS_URL: '' })).not.toHaveProperty('redisUrl');
  });
});
