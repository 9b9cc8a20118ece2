import {
  Body,
  Controller,
  Get,
  Headers,
  HttpCode,
  NotFoundException,
  Post,
  RequestMethod,
  VersioningType,
} from '@nestjs/common';
import {
  CacheContext,
  CacheEvict,
  CacheEvictionService,
  CacheInspector,
  CacheUsageError,
  CacheView,
  type ExplainRequest,
  type Explanation,
  jsonBody,
  NoCache,
  type RequestView,
} from 'nestjs-caching';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type ApplicationOptions,
  PLATFORMS,
  type RunningApplication,
  startApplication,
} from '../support/application.js';

@Controller('shop')
@CacheView({ ttl: '2m' })
class ShopController {
  constructor(private readonly cache: CacheContext) {}

  @Get() @CacheView({ tags: ['shop'], etag: false }) list() {
    return { answer: 'a body that nobody may see' };
  }

  @Get('mine')
  @CacheView({ scope: ({ user }: RequestView<{ user?: { id?: string } }>) => user?.id, ttl: '1m' })
  mine() {
    return {};
  }

  @Get('unless') @CacheView({ unless: ({ query }) => query.off === '1' }) unless() {
    return {};
  }

  @Get('refresh') @CacheView({ refresh: () => true }) refresh() {
    return {};
  }

  @Get('broken')
  @CacheView({
    unless: () => {
      throw new Error('no idea');
    },
  })
  broken() {
    return {};
  }

  @Get('uncovered') uncovered(@Headers('x-tenant') tenant: string) {
    return { tenant };
  }

  @Get('missing') missing() {
    throw new NotFoundException();
  }

  @Get('unstored') unstored() {
    this.cache.noStore();
    return {};
  }

  @Get('now') @NoCache() now() {
    return {};
  }

  @Get('items/:id') @CacheView({ tags: ({ params }) => [`item:${params.id}`] }) item() {
    return {};
  }

  @Post('items/:id') @HttpCode(204) @CacheEvict({ tags: ({ params }) => [`item:${params.id}`] }) write() {}

  @Post('search') @HttpCode(200) @CacheView({ key: jsonBody() }) search(@Body() _body: unknown) {
    return {};
  }
}

@Controller('plain')
class PlainController {
  @Get() get() {
    return {};
  }
}

describe.each(PLATFORMS)('explain on %s', (platform) => {
  let running: RunningApplication;
  const start = async (options: ApplicationOptions = {}): Promise<void> => {
    running = await startApplication(platform, {
      controllers: [ShopController, PlainController],
      ...options,
    });
  };
  const explain = (request: ExplainRequest): Promise<Explanation> =>
    running.app.get(CacheInspector).explain(request);

  afterEach(() => running.close());

  it('tells that nobody has asked yet, and after a request shows the entry without its body', async () => {
    await start();
    expect(await explain({ url: '/shop?page=2' })).toMatchObject({ verdict: 'miss', reason: 'never-filled' });
    await running.request('/shop?page=2');
    running.clock.advance(5_000);
    const hit = await explain({ url: '/shop?page=2' });
    expect(hit).toMatchObject({
      verdict: 'hit',
      reason: 'fresh',
      route: 'ShopController.list',
      template: '/shop',
      entry: { status: 200, ageMs: 5_000, freshForMs: 115_000, tier: 'local' },
      lastFill: { outcome: 'stored' },
    });
    expect(hit.key).toEqual(
      expect.arrayContaining([
        { name: 'path', value: '/shop' },
        { name: 'query()', value: 'page=2' },
      ]),
    );
    expect(hit.entry?.bodyBytes).toBeGreaterThan(10);
    expect(JSON.stringify(hit)).not.toContain('nobody may see');
  });

  it('shows where each field of the policy came from', async () => {
    await start({ caching: { maxEntryBytes: 5_000 } });
    const { policy } = await explain({ url: '/shop' });
    expect(policy).toEqual(
      expect.arrayContaining([
        { field: 'ttl', value: '2m', from: 'controller' },
        { field: 'etag', value: 'false', from: 'method' },
        { field: 'tags', value: '["shop"]', from: 'method' },
        { field: 'maxEntryBytes', value: '5000', from: 'module' },
        { field: 'key', value: 'query()', from: 'default' },
      ]),
    );
  });

  it.each<[string, ExplainRequest, Partial<Explanation>]>([
    ['credentials', { url: '/shop', headers: { authorization: 'Bearer x' } }, { verdict: 'bypass' }],
    ['unless', { url: '/shop/unless?off=1' }, { verdict: 'bypass' }],
    ['get-body', { url: '/shop', body: {} }, { verdict: 'bypass' }],
    ['precondition', { url: '/shop', headers: { 'If-Match': '"a"' } }, { verdict: 'bypass' }],
    ['uncovered-inputs', { url: '/shop/uncovered' }, { verdict: 'bypass' }],
    ['no-principal', { url: '/shop/mine', headers: { cookie: 'sid=1' } }, { verdict: 'bypass' }],
    ['body', { method: 'post', url: '/shop/search' }, { verdict: 'bypass' }],
    ['refresh', { url: '/shop/refresh' }, { verdict: 'refresh' }],
    ['callback', { url: '/shop/broken' }, { verdict: 'error' }],
    ['decorator', { url: '/shop/now' }, { verdict: 'not-cached' }],
    ['no-cache-view', { url: '/plain' }, { verdict: 'not-cached' }],
    ['no-route', { method: 'DELETE', url: '/shop' }, { verdict: 'no-route' }],
  ])('names the reason that keeps a request from the cache: %s', async (reason, request, expected) => {
    await start();
    const explained = await explain(request);
    expect(explained).toMatchObject({ ...expected, reason });
    expect(explained.because).toMatch(/^[A-Z].*\.$|failed: no idea/);
  });

  it.each([
    ['/shop/missing', 'status'],
    ['/shop/unstored', 'handler'],
  ])('tells why the last response of %s was not stored, and what to change', async (url, reason) => {
    await start();
    await running.request(url);
    const explained = await explain({ url });
    expect(explained).toMatchObject({ verdict: 'miss', reason, lastFill: { outcome: reason } });
    expect(explained.advice).toHaveLength(1);
  });

  it('tells who evicted last, by which tags, and when', async () => {
    await start();
    await running.request('/shop/items/7');
    running.clock.advance(1_000);
    await running.request('/shop/items/7', { method: 'POST' });
    const at = running.clock.now();
    running.clock.advance(1_000);
    expect(await explain({ url: '/shop/items/7' })).toMatchObject({
      verdict: 'miss',
      reason: 'evicted',
      lastEviction: {
        at,
        by: { via: 'decorator', route: 'ShopController.write' },
        tags: expect.arrayContaining([{ kind: 'tag', name: 'item:7', stamp: 1 }]) as unknown,
      },
    });
    await running.request('/shop/items/7');
    await running.app.get(CacheEvictionService).byRoute(ShopController, 'item');
    expect(await explain({ url: '/shop/items/7' })).toMatchObject({
      reason: 'evicted',
      lastEviction: { by: { via: 'service' }, tags: [{ kind: 'route', name: 'ShopController.item' }] },
    });
    // What concerns another item does not concern this one.
    expect((await explain({ url: '/shop/mine' })).lastEviction).toBeUndefined();
  });

  it('tells of one principal what is asked of that one, and of nobody else', async () => {
    await start({
      setUp: (app) => {
        app.use(
          (
            request: { headers: Record<string, string>; user?: unknown },
            _response: unknown,
            next: () => void,
          ) => {
            request.user = { id: request.headers['x-user'] };
            next();
          },
        );
      },
    });
    await running.request('/shop/mine', { headers: { 'x-user': 'ann' } });
    expect(await explain({ url: '/shop/mine', user: { id: 'ann' } })).toMatchObject({
      verdict: 'hit',
      key: expect.arrayContaining([{ name: 'principal', value: 'ann' }]) as unknown,
    });
    expect(await explain({ url: '/shop/mine', user: { id: 'bob' } })).toMatchObject({ verdict: 'miss' });
    const nobody = await explain({ url: '/shop/mine' });
    expect(nobody).toMatchObject({ verdict: 'miss', reason: 'never-filled' });
    expect(JSON.stringify(nobody)).not.toContain('ann');
  });

  it('shows of a body in a key how long it is, not what it is', async () => {
    await start();
    const { key } = await explain({ method: 'POST', url: '/shop/search', body: { text: 'a secret search' } });
    expect(key?.at(-1)).toEqual({
      name: 'jsonBody()',
      value: expect.stringMatching(/^\d+ characters$/) as unknown,
    });
  });

  it('finds routes behind a global prefix and versions', async () => {
    await start({
      setUp: (app) => {
        app.setGlobalPrefix('api', { exclude: [{ path: 'plain', method: RequestMethod.GET }] });
        app.enableVersioning({ type: VersioningType.URI, defaultVersion: '3' });
      },
    });
    await running.request('/api/v3/shop/items/a%20b');
    expect(await explain({ url: '/api/v3/shop/items/a%20b' })).toMatchObject({
      verdict: 'hit',
      template: '/api/v3/shop/items/:id',
    });
    expect(await explain({ url: '/shop' })).toMatchObject({ verdict: 'no-route' });
  });

  it('tells that the cache is switched off', async () => {
    await start({ caching: { enabled: false } });
    expect(await explain({ url: '/shop' })).toMatchObject({ verdict: 'not-cached', reason: 'disabled' });
  });

  it.each([undefined, {}, { url: 'shop' }, { url: 7 }])('refuses what is no URL: %j', async (request) => {
    await start();
    await expect(explain(request as never)).rejects.toThrow(CacheUsageError);
  });

  it('finds nobody by whose a response is, which could be guessed letter by letter', async () => {
    await start({
      setUp: (app) => {
        app.use((request: { user?: unknown }, _response: unknown, next: () => void) => {
          request.user = { id: 'tok-s3cret' };
          next();
        });
      },
    });
    await running.request('/shop/mine');
    const find = (text: string) => running.app.get(CacheInspector).search(text).entries.length;
    expect([find('mine'), find(''), find('s3'), find('tok-'), find('scoped')]).toEqual([1, 1, 0, 0, 0]);
  });

  it('finds stored responses by path, route, query and tag, newest first', async () => {
    await start();
    await running.request('/shop/items/7');
    running.clock.advance(1_000);
    await running.request('/shop?page=2');
    const search = (text: string): unknown[] =>
      running.app
        .get(CacheInspector)
        .search(text)
        .entries.map(({ path }) => path);
    expect(search('')).toEqual(['/shop', '/shop/items/7']);
    expect(search('item:7')).toEqual(['/shop/items/7']);
    expect(search('/ITEMS/')).toEqual(['/shop/items/7']);
    expect(search('page=2')).toEqual(['/shop']);
    expect(search('ShopController.list')).toEqual(['/shop']);
    expect(search('nothing')).toEqual([]);
    expect(running.app.get(CacheInspector).search('', 1)).toMatchObject({
      partial: true,
      entries: [{ path: expect.any(String) as unknown }],
    });
    await running.app.get(CacheEvictionService).byTag('shop');
    expect(search('')).toEqual(['/shop/items/7']);
  });
});
