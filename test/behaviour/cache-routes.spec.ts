import {
  Body,
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  HttpException,
  Injectable,
  Param,
  Post,
  UseGuards,
} from '@nestjs/common';
import {
  CacheRoutes,
  CacheUsageError,
  CacheView,
  type CachingModuleOptions,
  isCacheRefresh,
  jsonBody,
  Memoize,
  query,
  type RequestView,
  type WarmProgress,
} from 'nestjs-caching';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';

let runs = 0;
let running = 0;
let most = 0;

class UserGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<{ headers: Record<string, string>; user?: string }>();
    const user = request.headers['authorization'];
    if (user === undefined) throw new HttpException('who are you?', 401);
    request.user = user;
    return true;
  }
}

@Injectable()
class Rates {
  calls = 0;

  @Memoize({ ttl: '1m' })
  async of(currency: string): Promise<string> {
    this.calls += 1;
    return `${currency} ${this.calls}`;
  }
}

@Controller('books')
class BooksController {
  constructor(private readonly rates: Rates) {}

  @Get() @CacheView({ ttl: '10s', statuses: { 200: '10s', 404: '2s' } }) async list() {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setTimeout(resolve, 10));
    running -= 1;
    return { run: ++runs };
  }
  @Get('plain') plain() {
    return { run: ++runs };
  }
  @Post('search') @CacheView({ key: jsonBody() }) search(@Body() body: unknown) {
    return { body, run: ++runs };
  }
  @Get('mine')
  @UseGuards(UserGuard)
  @CacheView({ scope: ({ user }: RequestView<{ user: string }>) => user })
  mine() {
    return { run: ++runs };
  }
  @Get('rate/:currency') @CacheView() rate(@Param('currency') currency: string) {
    return this.rates.of(currency);
  }
  @Get('one/:id') @CacheView({ key: query({ include: ['v'] }) }) one(@Param('id') id: string) {
    if (id === 'none') throw new HttpException('none', 404);
    return { id, run: ++runs };
  }
}

describe.each(PLATFORMS)('CacheRoutes on %s', (platform) => {
  let started: RunningApplication;
  let routes: CacheRoutes;
  const refreshes: boolean[] = [];

  async function start(caching: CachingModuleOptions = {}): Promise<void> {
    started = await startApplication(platform, {
      controllers: [BooksController],
      providers: [Rates],
      caching,
      setUp: (app) => {
        const middleware = (request: { headers: Record<string, string> }, _: unknown, next: () => void) => {
          refreshes.push(isCacheRefresh(request));
          if (request.headers['x-preview'] === undefined) next();
          else app.get(CacheRoutes).bypass(next);
        };
        app.use(middleware);
      },
    });
    routes = started.app.get(CacheRoutes);
  }

  beforeEach(async () => {
    runs = 0;
    most = 0;
    refreshes.length = 0;
    await start();
  });
  afterEach(() => started.close());

  const get = async (target: string, headers: Record<string, string> = {}) => {
    const { verdict, body } = await started.request(target, { headers });
    return `${verdict} ${body.toString()}`;
  };

  it('tells what is cached of a route', () => {
    expect(routes.policy(BooksController, 'list')).toEqual({
      route: 'BooksController.list',
      method: 'GET',
      ttl: 10_000,
      statuses: { 200: 10_000, 404: 2_000 },
      key: ['query()'],
      scope: undefined,
      maxEntryBytes: 1_048_576,
      covered: true,
    });
    expect(routes.policy(BooksController, 'plain')).toBeUndefined();
    expect(routes.policy(BooksController, 'mine')?.scope).toBe('principal');
    expect(routes.all().map(({ route }) => route)).toEqual(
      ['list', 'search', 'mine', 'rate', 'one'].map((name) => `BooksController.${name}`),
    );
  });

  it('changes the time to live of what is stored from now on, and back', async () => {
    await get('/books?first');
    routes.setTtl(BooksController, 'list', '1m');
    await get('/books?second');
    expect(routes.policy(BooksController, 'list')).toMatchObject({
      ttl: 60_000,
      statuses: { 200: 60_000, 404: 2_000 },
    });
    started.clock.advance(30_000);
    expect(await get('/books?first')).toMatch(/^MISS/);
    expect(await get('/books?second')).toMatch(/^HIT/);
    routes.setTtl(BooksController, 'list', undefined);
    expect(routes.policy(BooksController, 'list')).toMatchObject({
      ttl: 10_000,
      statuses: { 200: 10_000, 404: 2_000 },
    });
    await get('/books?third');
    started.clock.advance(10_000);
    expect(await get('/books?third')).toMatch(/^MISS/);
  });

  it('bypasses the cache for a block of code and all it calls, and for nothing else', async () => {
    await get('/books');
    const preview = await started.request('/books', { headers: { 'x-preview': '1' } });
    expect([preview.verdict, preview.body.toString()]).toEqual(['BYPASS', '{"run":2}']);
    expect(preview.headers['cache-status']).toContain('code');
    expect(await get('/books')).toBe('HIT {"run":1}');

    const rates = started.app.get(Rates);
    expect([await rates.of('EUR'), await rates.of('EUR')]).toEqual(['EUR 1', 'EUR 1']);
    const inside = await routes.bypass(async () => [await rates.of('EUR'), await rates.of('EUR')]);
    expect(inside).toEqual(['EUR 2', 'EUR 3']);
    expect(await rates.of('EUR')).toBe('EUR 1');
  });

  it('warms a route: the first who asks gets a HIT', async () => {
    const progress: WarmProgress[] = [];
    const urls = Array.from({ length: 10 }, (_, at) => `/books?page=${at}`);
    const report = await routes.warm(BooksController, 'list', urls, {
      concurrency: 3,
      onProgress: (each) => progress.push(each),
    });
    expect(report).toEqual({ stored: 10, present: 0, skipped: 0, dropped: 0 });
    expect(most).toBe(3);
    expect(progress.map(({ done, total, result, status }) => ({ done, total, result, status }))).toEqual(
      urls.map((_, at) => ({ done: at + 1, total: 10, result: 'stored', status: 200 })),
    );
    expect(refreshes).toEqual(urls.map(() => true));
    for (const url of urls) expect(await get(url)).toMatch(/^HIT/);
    expect(runs).toBe(10);
    expect(await routes.warm(BooksController, 'list', urls)).toMatchObject({ present: 10, stored: 0 });
    expect(await routes.warm(BooksController, 'list', urls.slice(0, 2), { renew: true })).toMatchObject({
      stored: 2,
    });
    expect(await get('/books?page=0')).toMatch(/^HIT .*"run":1[12]/);
  });

  it('warms a POST by its body, and what belongs to a principal for that one alone', async () => {
    async function* requests() {
      yield { url: '/books/search', body: { title: 'Emma' } };
    }
    expect(await routes.warm(BooksController, 'search', requests())).toMatchObject({ stored: 1 });
    const { verdict } = await started.request('/books/search', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"title":"Emma"}',
    });
    expect(verdict).toBe('HIT');
    const mine = { url: '/books/mine', headers: { Authorization: 'alice' } };
    expect(await routes.warm(BooksController, 'mine', [mine])).toMatchObject({ stored: 1 });
    expect(await get('/books/mine', { authorization: 'alice' })).toMatch(/^HIT/);
    expect(await get('/books/mine', { authorization: 'bob' })).toMatch(/^MISS/);
  });

  it('tells what could not be warmed, and stores nothing of it', async () => {
    const results: [string, string | undefined][] = [];
    const report = await routes.warm(
      BooksController,
      'one',
      ['/books/one/a', '/books/one/none', '/books', '/books/nowhere', '/nowhere'],
      { concurrency: 1, onProgress: ({ result, reason }) => results.push([result, reason]) },
    );
    expect(results).toEqual([
      ['stored', undefined],
      ['skipped', 'status'],
      ['dropped', 'route'],
      ['dropped', 'unreached'],
      ['dropped', 'unreached'],
    ]);
    expect(report).toEqual({ stored: 1, present: 0, skipped: 1, dropped: 3 });
    expect(await routes.warm(BooksController, 'mine', ['/books/mine'])).toMatchObject({ dropped: 1 });
    expect(await get('/books')).toMatch(/^MISS/);
  });

  it('ends warming when it is told to, or when what hears of it throws', async () => {
    const urls = Array.from({ length: 50 }, (_, at) => `/books?page=${at}`);
    const abort = new AbortController();
    const report = await routes.warm(BooksController, 'list', urls, {
      concurrency: 2,
      signal: abort.signal,
      onProgress: ({ done }) => done === 4 && abort.abort(),
    });
    expect(report.stored).toBeGreaterThanOrEqual(4);
    expect(report.stored).toBeLessThan(8);
    const warming = routes.warm(BooksController, 'list', urls, {
      onProgress: () => {
        throw new Error('enough');
      },
    });
    await expect(warming).rejects.toThrow('enough');
  });

  it('closes where its requests come from, such as rows of a database, however it ends', async () => {
    let closed = 0;
    function* rows() {
      try {
        for (let at = 0; at < 50; at++) yield `/books?page=${at}`;
      } finally {
        closed++;
      }
    }
    const abort = new AbortController();
    await routes.warm(BooksController, 'list', rows(), {
      signal: abort.signal,
      onProgress: () => abort.abort(),
    });
    expect(closed).toBe(1);
    const failing = routes.warm(BooksController, 'list', rows(), {
      onProgress: () => {
        throw new Error('enough');
      },
    });
    await expect(failing).rejects.toThrow('enough');
    expect(closed).toBe(2);
  });

  it('ends when it is told to, though its source has nothing more to say and never ends', async () => {
    const abort = new AbortController();
    let closed = 0;
    const queue: AsyncIterableIterator<string> = {
      next: () => new Promise(() => undefined),
      return: async () => {
        closed += 1;
        return { value: undefined, done: true };
      },
      [Symbol.asyncIterator]: () => queue,
    };
    async function* one() {
      yield '/books?page=1';
      yield* queue;
    }
    const options = { signal: abort.signal, onProgress: () => abort.abort() };
    await expect(routes.warm(BooksController, 'list', one(), options)).resolves.toMatchObject({ stored: 1 });
    const late = new AbortController();
    const waiting = routes.warm(BooksController, 'list', queue, { signal: late.signal });
    setImmediate(() => late.abort());
    await expect(waiting).resolves.toMatchObject({ stored: 0, dropped: 0 });
    expect(closed).toBe(1);
  });

  it.each([0, 1, 2, 3, 4, 5])(
    'ends when it is told to %i turns after its source had something to say',
    async (turns) => {
      const abort = new AbortController();
      let say: (result: IteratorResult<string>) => void = () => undefined;
      let asked = 0;
      const queue: AsyncIterable<string> = {
        [Symbol.asyncIterator]: () => ({
          next: () => {
            asked += 1;
            return new Promise((resolve) => (say = resolve));
          },
        }),
      };
      const warming = routes.warm(BooksController, 'list', queue, { signal: abort.signal, concurrency: 4 });
      await new Promise((resolve) => setImmediate(resolve));
      say({ value: '/books?page=1', done: false });
      // What was said is on its way to the one who asked first, and the next one is about to ask.
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      abort.abort();
      await expect(warming).resolves.toMatchObject({ dropped: 0 });
      expect(asked).toBeLessThanOrEqual(2);
    },
  );

  it('takes a source that is written by hand and answers without a promise, as `for await` does', async () => {
    const abort = new AbortController();
    const left = ['/books?page=1', '/books?page=2'];
    let closed = 0;
    const source = {
      [Symbol.asyncIterator]: () => ({
        next: () => ({ value: left.shift(), done: false }),
        return: () => ({ value: undefined, done: (closed += 1) > 0 }),
      }),
    };
    const options = { signal: abort.signal, concurrency: 1, onProgress: () => left.length || abort.abort() };
    const warming = routes.warm(BooksController, 'list', source as never, options);
    await expect(warming).resolves.toMatchObject({ stored: 2 });
    expect(closed).toBe(1);
    const silent = new AbortController();
    const queue = { next: () => new Promise(() => undefined), return: () => undefined };
    const waiting = routes.warm(BooksController, 'list', { [Symbol.asyncIterator]: () => queue } as never, {
      signal: silent.signal,
    });
    setImmediate(() => silent.abort());
    await expect(waiting).resolves.toMatchObject({ stored: 0 });
  });

  it('rejects with what its source fails with, also where it fails to close', async () => {
    async function* rows() {
      yield '/books?page=1';
      throw new Error('connection lost');
    }
    await expect(routes.warm(BooksController, 'list', rows())).rejects.toThrow('connection lost');
    function* open() {
      try {
        for (;;) yield '/books?page=1';
      } finally {
        // eslint-disable-next-line no-unsafe-finally
        throw new Error('not closed');
      }
    }
    const abort = new AbortController();
    const options = { signal: abort.signal, onProgress: () => abort.abort() };
    await expect(routes.warm(BooksController, 'list', open(), options)).rejects.toThrow('not closed');
  });

  it.each<[RegExp, (routes: CacheRoutes) => unknown]>([
    [/plain is not cached/, (all) => all.warm(BooksController, 'plain', [])],
    [/no route/, (all) => all.warm(BooksController, 'nothing', [])],
    [/no route/, (all) => all.policy(undefined as never, 'list')],
    [/concurrency/, (all) => all.warm(BooksController, 'list', [], { concurrency: 0 })],
    [/concurrency/, (all) => all.warm(BooksController, 'list', [], { concurrency: 1_000 })],
    [/a URL is/, (all) => all.warm(BooksController, 'list', ['books'])],
    [/setTtl\("soon"\)/, (all) => all.setTtl(BooksController, 'list', 'soon' as never)],
    [/setTtl\(0\)/, (all) => all.setTtl(BooksController, 'list', 0)],
    [/not cached/, (all) => all.setTtl(BooksController, 'plain', '1m')],
  ])('refuses what can not be meant: %s', async (message, act) => {
    const attempt = async () => act(routes);
    await expect(attempt()).rejects.toThrow(message);
    await expect(attempt()).rejects.toBeInstanceOf(CacheUsageError);
  });

  it('runs no handler where caching is switched off', async () => {
    await started.close();
    await start({ enabled: false });
    const reasons: (string | undefined)[] = [];
    const report = await routes.warm(BooksController, 'list', ['/books'], {
      onProgress: ({ reason }) => reasons.push(reason),
    });
    expect([report.dropped, runs, reasons]).toEqual([1, 0, ['disabled']]);
  });
});
