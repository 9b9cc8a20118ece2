import { Controller, Get, Header, HttpException, Post, Put } from '@nestjs/common';
import {
  CacheEvents,
  CacheEvict,
  CacheView,
  type CachingModuleOptions,
  isCacheRefresh,
  jsonBody,
  query,
} from 'nestjs-caching';
import { afterEach, describe, expect, it } from 'vitest';
import { RequestView } from '../../libs/caching/src/http/request-view.js';
import { GRACE, ShadowVerifier } from '../../libs/caching/src/http/verify/shadow-verifier.js';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { entry, startEngine } from '../support/engine.js';
import { FakeClock } from '../support/fake-clock.js';
import { eventually, turns } from '../support/gate.js';

const SECRET = 'of nobody else';

describe.each(PLATFORMS)('with verify on %s', (platform) => {
  let running: RunningApplication;
  let data: Record<string, unknown>;
  let runs: number;
  let fails: boolean;

  @Controller('books')
  class BooksController {
    @Get()
    @Header('x-run', 'always')
    @CacheView({ ttl: '1h', tags: ['books', 'shelf'], key: query() })
    list() {
      runs++;
      if (fails) throw new HttpException('away', 503);
      return data;
    }

    @Get('filed')
    @CacheView({
      ttl: '1h',
      tags: ({ query }) => [
        String(query.as),
        ...Array(30)
          .fill('x')
          .map((x, at) => x + at),
      ],
    })
    filed() {
      runs++;
      return data;
    }

    @Get('text')
    @CacheView({ ttl: '1h' })
    text() {
      runs++;
      return String(data['price']);
    }

    @Post('search')
    @CacheView({ ttl: '1h', key: jsonBody() })
    search() {
      runs++;
      return data;
    }

    @Put()
    @CacheEvict('books')
    update() {
      data = { ...data, price: 3 };
      return 'done';
    }
  }

  const start = async (caching: CachingModuleOptions = { verify: 1 }, seen: boolean[] = []) => {
    runs = 0;
    fails = false;
    data = { price: 1, author: { name: SECRET }, tags: ['a', 'b'] };
    running = await startApplication(platform, {
      controllers: [BooksController],
      caching,
      setUp: (app) => {
        app.use((request: object, _response: unknown, next: () => void) => {
          seen.push(isCacheRefresh(request));
          next();
        });
      },
    });
  };
  const verdicts = () => running.events.filter((event) => event.type === 'verified');
  /** What a hit is found to be, once there is time to explain a difference. */
  const verified = async (target = '/books') => {
    const [before, ran] = [verdicts().length, runs];
    const { verdict } = await running.request(target);
    expect(verdict).toBe('HIT');
    // Until then time would only run into the deadline of the run.
    await eventually(() => runs > ran, 'the handler has run');
    await eventually(() => {
      running.clock.advance(GRACE);
      return verdicts().length > before;
    }, 'it is verified');
    return verdicts().at(-1);
  };

  afterEach(() => running.close());

  it('a hit that is what its handler says is found to be the same, and the handler has run for nobody', async () => {
    const seen: boolean[] = [];
    await start({ verify: 1 }, seen);
    await running.request('/books');
    expect(await verified()).toMatchObject({
      route: 'BooksController.list',
      outcome: 'same',
      differences: [],
      tags: [],
    });
    expect(runs).toBe(2);
    expect(seen).toEqual([false, false, true]);
    expect(running.logger.warnings).toEqual([]);
  });

  it('a forgotten eviction is found: the route, where it differs, and the tags, but no values', async () => {
    await start();
    await running.request('/books');
    data = { ...data, price: 2, tags: ['a', 'c', 'd'], 'no identifier': 1 };
    const event = await verified();
    expect(event).toMatchObject({
      outcome: 'different',
      differences: ['$.price', '$.tags.length', '$.tags[1]', '$["no identifier"]'],
      tags: ['books', 'shelf'],
    });
    // Of the hit that it is about.
    expect(event?.request.id).toBe(2);
    expect(running.logger.warnings).toHaveLength(1);
    expect(running.logger.warnings[0]).toMatch(
      /BooksController\.list: .*\$\.price.*the tags "books", "shelf", and nothing has evicted it/,
    );
    expect(JSON.stringify(event) + running.logger.warnings.join()).not.toContain(SECRET);
    // Once is enough: it shows with each hit.
    expect((await verified())?.outcome).toBe('different');
    expect(running.logger.warnings).toHaveLength(1);
    running.clock.advance(60_000);
    await verified();
    expect(running.logger.warnings).toHaveLength(2);
    // What clients get is what is stored, and stays so.
    expect(JSON.parse((await running.request('/books')).text)).toMatchObject({ price: 1 });
  });

  it('what clients send makes no line of its own in the log, nor a long one', async () => {
    await start();
    const target = `/books/filed?as=${encodeURIComponent('a\r\n[Nest] ERROR \u001b[2J')}`;
    await running.request(target);
    data = { ['c\n'.repeat(50_000)]: 1, ['d'.repeat(50_000)]: 2 };
    const event = await verified(target);
    const [warning = ''] = running.logger.warnings;
    expect(warning).toContain('the tags "a\\r\\n[Nest] ERROR');
    expect(warning).toContain(' and 21 more');
    // oxlint-disable-next-line no-control-regex -- they are what is looked for
    expect(warning).not.toMatch(/[\u0000-\u001f]/);
    expect(warning.length).toBeLessThan(20 * 200 + 1_000);
    const paths = event?.type === 'verified' ? event.differences : [];
    expect(paths).toContain(`$.${'d'.repeat(198)}…`);
    expect(paths.every((path) => path.length <= 201)).toBe(true);
  });

  it('a text that differs is found, which has no places to name', async () => {
    await start();
    await running.request('/books/text');
    data = { price: 2 };
    expect(await verified('/books/text')).toMatchObject({ outcome: 'different', differences: ['body'] });
  });

  it('an entry that was evicted meanwhile is no difference', async () => {
    await start();
    await running.request('/books');
    data = { ...data, price: 2 };
    expect((await running.request('/books')).verdict).toBe('HIT');
    await eventually(() => runs === 2, 'the handler has run');
    await running.request('/books', { method: 'PUT' });
    await eventually(() => {
      running.clock.advance(GRACE);
      return verdicts().length === 1;
    }, 'it is judged');
    expect(verdicts()).toMatchObject([{ outcome: 'superseded', differences: [], tags: [] }]);
    expect(running.logger.warnings).toEqual([]);
  });

  it('a handler that fails tells nothing', async () => {
    await start();
    await running.request('/books');
    fails = true;
    expect(await verified()).toMatchObject({ outcome: 'unknown' });
    expect((await running.request('/books')).verdict).toBe('HIT');
  });

  it('only GET routes are verified, and none where it is not asked for', async () => {
    await start();
    for (let time = 0; time < 3; time++)
      await running.request('/books/search', { method: 'POST', body: { a: 1 } });
    await turns(20);
    expect(runs).toBe(1);
    await running.close();
    await start({});
    for (let time = 0; time < 3; time++) await running.request('/books');
    await turns(20);
    expect(runs).toBe(1);
    expect(verdicts()).toEqual([]);
  });

  it('no more than two run at a time', async () => {
    await start();
    await running.request('/books');
    data = { ...data, price: 2 };
    // Each that differs waits for an eviction that may explain it.
    for (let time = 0; time < 6; time++) await running.request('/books');
    await eventually(() => runs === 3, 'two handlers have run');
    await turns(20);
    expect(runs).toBe(3);
  });
});

describe('verify', () => {
  it('takes the share of hits that chance gives it', async () => {
    const clock = new FakeClock();
    const { cache } = startEngine({}, clock);
    const chances = [0.01, 0.24, 0.25, 0.9, 0.1];
    let runs = 0;
    const verifier = new ShadowVerifier({
      share: 0.25,
      cache,
      clock,
      events: new CacheEvents(() => undefined, clock),
      warn: () => undefined,
      random: () => chances.shift() ?? 1,
      background: {
        hasRoom: true,
        run: () => {
          runs++;
          return Promise.resolve({ result: 'dropped', reason: 'closed', status: undefined } as const);
        },
      },
    });
    const policy = { route: 'r', method: 'GET', keyedHeaders: new Set(), scope: undefined } as unknown;
    const request = new RequestView({ method: 'GET', url: '/', headers: {} });
    const hit = entry('key', { start: { epoch: 'e', n: 0 }, storedAt: clock.now() });
    while (chances.length > 0) {
      verifier.onHit(policy as never, { request, trace: undefined } as never, hit);
      await turns(2);
    }
    expect(runs).toBe(3);
  });

  it.each([-0.1, 1.1, Number.NaN, '0.1'])('is refused where it is %s', async (verify) => {
    await expect(startApplication('fastify', { caching: { verify: verify as number } })).rejects.toThrow(
      /"verify".*a number from 0 to 1/s,
    );
  });
});
