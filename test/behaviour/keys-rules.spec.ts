import { Controller, Get } from '@nestjs/common';
import { CacheEvictionService, CacheView, type CacheViewOptions, type RequestView } from 'nestjs-caching';
import { describe, expect, it } from 'vitest';
import { startApplication } from '../support/application.js';

type Account = RequestView<{ user?: { id: string; name: string } }>;

/** The key of a route in an application that was deployed with these rules. */
async function keyUnder(rules: CacheViewOptions): Promise<string> {
  @Controller('books')
  class BooksController {
    @Get() @CacheView(rules) list() {
      return {};
    }
  }
  const running = await startApplication('fastify', { controllers: [BooksController] });
  try {
    return await running.app.get(CacheEvictionService).keyFor(BooksController, 'list', { url: '/books' });
  } finally {
    await running.close();
  }
}

describe('a deploy that changes the rules of a route', () => {
  it.each<[what: string, before: CacheViewOptions, after: CacheViewOptions]>([
    ['its tags', { tags: ['books'] }, { tags: ['books', 'authors'] }],
    ['the callback of its tags', { tags: () => ['a'] }, { tags: () => ['b'] }],
    ['that it has tags', {}, { tags: ['books'] }],
    [
      'whose responses are',
      { scope: ({ user }: Account) => user?.id },
      { scope: ({ user }: Account) => user?.name },
    ],
    ['what it varies on', {}, { vary: ['accept-language'] }],
    ['its key callback', { key: ({ path }) => path }, { key: ({ url }) => url }],
  ])('%s misses instead of serving by the old ones', async (_what, before, after) => {
    expect(await keyUnder(after)).not.toBe(await keyUnder(before));
  });

  it('keeps what was stored where it changes none of these', async () => {
    const tags = ({ path }: { path: string }): string[] => [path];
    expect(await keyUnder({ tags, ttl: '1h' })).toBe(await keyUnder({ tags, ttl: '2h' }));
  });
});
