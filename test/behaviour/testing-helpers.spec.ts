import { Controller, Get, Header, type INestApplication, Param, Post, Res } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { AssertionError } from 'node:assert/strict';
import {
  CacheEvict,
  CacheEvictionService,
  CacheView,
  CachingModule,
  type CachingModuleOptions,
  jsonBody,
  nullStore,
} from 'nestjs-caching';
import {
  expectCached,
  expectEvicted,
  expectNotCached,
  FakeClock,
  overrideCaching,
  recordEvents,
} from 'nestjs-caching/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { PLATFORMS } from '../support/application.js';

let runs = 0;

@Controller('shop')
class ShopController {
  @Get('list') @CacheView({ ttl: '10s', tags: ['shop'] }) list() {
    return { run: ++runs };
  }
  @Get('plain') plain() {
    return { run: ++runs };
  }
  @Get('private') @CacheView() @Header('Cache-Control', 'private') private() {
    return { run: ++runs };
  }
  @Get('missing') @CacheView({ statuses: [200] }) missing(
    @Res({ passthrough: true }) reply: { status(code: number): unknown },
  ) {
    reply.status(404);
    return {};
  }
  @Post('search') @CacheView({ key: jsonBody() }) search() {
    return { run: ++runs };
  }
  @Post('add') @CacheEvict('shop') add() {
    return {};
  }
  @Get(':other') @CacheView({ key: () => String(++runs) }) other(@Param('other') other: string) {
    return other;
  }
}

describe.each(PLATFORMS)('helpers for tests on %s', (platform) => {
  let app: INestApplication;

  async function start(
    override: Parameters<typeof overrideCaching>[1] = {},
    options: CachingModuleOptions = {},
  ): Promise<INestApplication> {
    const builder = Test.createTestingModule({
      imports: [CachingModule.forRoot(options)],
      controllers: [ShopController],
    });
    const module = await overrideCaching(builder, override).compile();
    const adapter = platform === 'express' ? new ExpressAdapter() : new FastifyAdapter();
    app = module.createNestApplication(adapter as ExpressAdapter);
    await app.init();
    if (platform === 'fastify')
      await (app as unknown as NestFastifyApplication).getHttpAdapter().getInstance().ready();
    return app;
  }

  const problem = async (expectation: Promise<unknown>): Promise<string> => {
    const error = await expectation.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AssertionError);
    return (error as AssertionError).message;
  };

  afterEach(() => app.close());

  it('expectCached passes for what is cached and gives its answer, listening or not', async () => {
    await start();
    const reply = await expectCached(app, '/shop/list');
    expect(reply).toMatchObject({ status: 200, verdict: 'hit' });
    expect(JSON.parse(reply.body.toString())).toEqual({ run: runs });
    await expectCached(app, { path: '/shop/search', body: { title: 'Emma' } });
    await app.listen(0, '127.0.0.1');
    await expectCached(app, '/shop/list');
  });

  it('expectCached says why something is not cached', async () => {
    await start();
    expect(await problem(expectCached(app, '/shop/plain'))).toMatch(/GET \/shop\/plain .*no cached route/);
    expect(await problem(expectCached(app, '/shop/private'))).toMatch(/not stored: "private"/);
    expect(await problem(expectCached(app, '/shop/missing'))).toMatch(/not stored: "status"/);
    expect(await problem(expectCached(app, { path: '/shop/list', headers: { cookie: 'a=b' } }))).toMatch(
      /bypasses the cache: "credentials"/,
    );
    expect(await problem(expectCached(app, '/shop/x'))).toMatch(/different keys/);
  });

  it('expectNotCached passes for what is not cached, for the given reason', async () => {
    await start();
    await expectNotCached(app, '/shop/private', 'private');
    await expectNotCached(app, { path: '/shop/list', headers: { cookie: 'a=b' } }, 'credentials');
    expect(await problem(expectNotCached(app, '/shop/private', 'no-store'))).toMatch(
      /because of "no-store", but because of "private"/,
    );
    expect(await problem(expectNotCached(app, '/shop/list'))).toMatch(/should not be cached, but is/);
  });

  it('expectEvicted passes where something evicts', async () => {
    await start();
    await expectEvicted(app, '/shop/list', () => app.get(CacheEvictionService).byTag('shop'));
    expect(await problem(expectEvicted(app, '/shop/list', () => undefined))).toMatch(/still cached/);
  });

  it('overrideCaching turns caching off, or changes one option and leaves the others', async () => {
    await start({ enabled: false });
    await expectNotCached(app, '/shop/list');
    await app.close();
    await start({ store: nullStore() });
    await expectNotCached(app, '/shop/list');
    await app.close();
    await start({ ttl: '1s' }, { cacheAll: true });
    expect((await expectCached(app, '/shop/plain')).verdict).toBe('hit');
  });

  it('a clock of the test moves the time of the cache', async () => {
    const clock = new FakeClock();
    await start({ clock });
    await expectCached(app, '/shop/list');
    const events = recordEvents(app);
    clock.advance(9_999);
    await expectCached(app, '/shop/list');
    expect(events.ofType('miss')).toEqual([]);
    clock.advance(1);
    await expectCached(app, '/shop/list');
    expect(events.ofType('miss')).toHaveLength(1);
    events.clear();
    events.stop();
    await expectCached(app, '/shop/list');
    expect(events.all).toEqual([]);
  });
});
