import { Controller, Get, Header, type Type } from '@nestjs/common';
import { CacheEvictionService, CacheView } from 'nestjs-caching';
import {
  type ApplicationOptions,
  type Platform,
  type RunningApplication,
  startApplication,
} from './application.js';

/** An application whose responses tell which run of a handler made them, for specs about what is evicted. */
export interface EvictionLibrary extends RunningApplication {
  readonly evictions: CacheEvictionService;
  readonly books: Type;
  readonly shelf: Type;
  /** Asks for each target and expects a 200. */
  warm(targets: readonly string[]): Promise<void>;
  /** Which of the targets are not served from the cache any more; asking stores them again. */
  evicted(targets: readonly string[]): Promise<string[]>;
}

export async function startLibrary(
  platform: Platform,
  options: ApplicationOptions = {},
): Promise<EvictionLibrary> {
  let runs = 0;
  @Controller('books')
  class BooksController {
    @Get() @CacheView({ tags: ['books'] }) list() {
      return { run: ++runs };
    }

    @Get(':name')
    @CacheView({ tags: ({ params }) => ['books', `book:${params.name}`], vary: ['accept'] })
    one() {
      return { run: ++runs };
    }

    @Get(':name/pages/:page') @CacheView() @Header('content-type', 'text/plain') page() {
      return `run ${++runs}`;
    }

    @Get(platform === 'express' ? ':name/editions{/:edition}' : ':name/editions/:edition?')
    @CacheView()
    edition() {
      return { run: ++runs };
    }
  }
  @Controller('bookshelf')
  class ShelfController {
    @Get() @CacheView({ tags: ['shelf'] }) list() {
      return { run: ++runs };
    }
  }
  const running = await startApplication(platform, {
    ...options,
    controllers: [BooksController, ShelfController, ...(options.controllers ?? [])],
  });
  const ask = async (target: string): Promise<string | undefined> => {
    const response = await running.request(target);
    if (response.status !== 200) throw new Error(`${target} gave ${response.status}`);
    return response.verdict;
  };
  return {
    ...running,
    evictions: running.app.get(CacheEvictionService),
    books: BooksController,
    shelf: ShelfController,
    async warm(targets) {
      for (const target of targets) await ask(target);
      for (const target of targets) {
        const verdict = await ask(target);
        if (verdict !== 'HIT') throw new Error(`${target} was not stored: ${verdict}`);
      }
    },
    async evicted(targets) {
      const gone: string[] = [];
      for (const target of targets) if ((await ask(target)) !== 'HIT') gone.push(target);
      return gone;
    },
  };
}
