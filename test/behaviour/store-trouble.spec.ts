import { Controller, Get } from '@nestjs/common';
import { CachingConfigError, type CachingModuleOptions, CacheView, keyv, redis } from 'nestjs-caching';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { StoreTrouble } from '../../libs/caching/src/cache/store-trouble.js';
import { ChaosStore, FakeClock } from '../../libs/caching/src/testing.js';
import { startApplication } from '../support/application.js';
import { rawRequest } from '../support/raw-http.js';

@Controller('books')
class BooksController {
  @Get() @CacheView() list() {
    return [];
  }
}

describe('a store that fails', () => {
  it('is said once in the log, though nobody listens to events, and once more when it answers again', () => {
    const clock = new FakeClock();
    const said: string[] = [];
    const say = (message: string): void => void said.push(message);
    const trouble = new StoreTrouble(clock, { error: say, log: say });
    trouble.worked();
    trouble.failed(new Error('It is late'));
    clock.advance(999);
    trouble.failed(new Error('It is late'));
    trouble.worked();
    expect(said).toEqual([]);
    trouble.failed(new Error('It is away'));
    clock.advance(1_000);
    trouble.failed(new Error('It is away'));
    clock.advance(1_500);
    trouble.failed(new Error('It is away'));
    trouble.worked();
    trouble.worked();
    expect(said).toEqual([
      'It is away. Until it answers, requests run their handlers.',
      'The cache store answers again, after 2.5 s.',
    ]);
    trouble.failed(new Error('It is away'));
    clock.advance(58_000);
    trouble.failed(new Error('It is away'));
    expect(said).toHaveLength(2);
    clock.advance(2_000);
    trouble.failed(new Error('It is away again'));
    expect(said).toHaveLength(3);
  });

  it('is said in the log of an application', async () => {
    const store = new ChaosStore();
    store.faults.lookup = 'reject';
    store.faults.set = 'reject';
    const running = await startApplication('fastify', {
      controllers: [BooksController],
      caching: { store },
    });
    await rawRequest(running.port, '/books');
    running.clock.advance(1_000);
    await rawRequest(running.port, '/books');
    await rawRequest(running.port, '/books');
    expect(running.logger.errors.filter((line) => line.includes('lookup'))).toHaveLength(1);
    await running.close();
  });
});

describe('a password that was written in the wrong place', () => {
  const URL_WITH_PASSWORD = 'redis://app:s3cret@db:6379';

  it.each<[what: string, caching: () => CachingModuleOptions]>([
    ['store', () => ({ store: URL_WITH_PASSWORD as never })],
    ['redis()', () => ({ store: redis(URL_WITH_PASSWORD as never) })],
    ['keyv()', () => ({ store: keyv(URL_WITH_PASSWORD as never) })],
    ['redis({ url, client })', () => ({ store: redis({ url: URL_WITH_PASSWORD, client: {} } as never) })],
  ])('is not in what the error prints: %s', async (_what, caching) => {
    const start = async () => startApplication('fastify', { caching: caching() });
    const error: unknown = await start().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(CachingConfigError);
    expect(inspect(error)).not.toContain('s3cret');
  });
});
