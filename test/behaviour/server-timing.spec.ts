import { Controller, Get, Res } from '@nestjs/common';
import { CacheView, type CachingModuleOptions } from 'nestjs-caching';
import { afterEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { eventually, Gate } from '../support/gate.js';

describe.each(PLATFORMS)('Server-Timing on %s', (platform) => {
  let running: RunningApplication;
  let gate: Gate;

  @Controller('books')
  class BooksController {
    @Get()
    @CacheView({ refresh: ({ query }) => query['fresh'] === '1' })
    list() {
      running.clock.advance(40);
      return { books: 1 };
    }

    @Get('own')
    @CacheView()
    own(@Res({ passthrough: true }) reply: { header(name: string, value: string): void }) {
      reply.header('server-timing', 'db;dur=7');
      return 'x';
    }

    @Get('gated')
    @CacheView()
    async gated() {
      await gate.pass();
      running.clock.advance(25);
      return 'x';
    }

    @Get('never')
    @CacheView({ unless: () => true })
    never() {
      return 'x';
    }
  }

  const start = async (caching: CachingModuleOptions = { serverTiming: true }, before?: string) => {
    gate = new Gate();
    running = await startApplication(platform, {
      controllers: [BooksController],
      caching,
      setUp: (app) => {
        if (before === undefined) return;
        app.use(
          (_request: unknown, response: { setHeader(n: string, v: string): void }, next: () => void) => {
            response.setHeader('server-timing', before);
            next();
          },
        );
      },
    });
  };
  const timing = async (target: string) =>
    (await running.request(`/books${target}`)).headers['server-timing'];

  afterEach(() => running.close());

  it('tells what the cache did, what the handler took, and what a hit saved', async () => {
    await start();
    expect(await timing('')).toBe('cache;desc=miss;dur=0, handler;dur=40');
    expect(await timing('')).toBe('cache;desc=hit;dur=0, saved;dur=40');
    expect(await timing('?fresh=1')).toBe('cache;desc=refresh;dur=0, handler;dur=40');
    expect(await timing('/never')).toBe('cache;desc=bypass;dur=0');
  });

  it('tells of those who waited for another request', async () => {
    await start();
    const both = [timing('/gated'), timing('/gated')];
    await eventually(() => running.events.filter(({ type }) => type === 'miss').length === 2, 'both missed');
    gate.open();
    expect(await Promise.all(both)).toEqual([
      'cache;desc=miss;dur=0, handler;dur=25',
      'cache;desc=coalesced;dur=25, saved;dur=25',
    ]);
  });

  it('stands beside what middleware says, and in place of what a handler once did', async () => {
    await start({ serverTiming: true }, 'proxy;dur=1');
    expect(await timing('/never')).toBe('proxy;dur=1, cache;desc=bypass;dur=0');
    expect(await timing('/own')).toMatch(/db;dur=7, cache;desc=miss;dur=0, handler;dur=0$/);
    expect(await timing('/own')).toBe('proxy;dur=1, cache;desc=hit;dur=0, saved;dur=0');
  });

  it('is not there unless it is asked for', async () => {
    await start({});
    for (const target of ['', '', '/never']) expect(await timing(target)).toBeUndefined();
    await running.close();
    await start({}, 'proxy;dur=1');
    for (const target of ['/own', '/own']) expect(await timing(target)).toContain('db;dur=7');
  });

  it('has real times where the clock is real', async () => {
    await start();
    await running.close();
    running = await startApplication(platform, {
      controllers: [BooksController],
      realTime: true,
      caching: { serverTiming: true },
    });
    expect(await timing('')).toMatch(/^cache;desc=miss;dur=\d+(\.\d{1,3})?, handler;dur=\d+(\.\d{1,3})?$/);
    expect(Number(/dur=([\d.]+)/.exec(String(await timing('')))?.[1])).toBeGreaterThan(0);
  });
});
