import { Controller, Get, Module, Post } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  CacheEvict,
  CacheView,
  CachingConfigError,
  CachingModule,
  headers,
  host,
  jsonBody,
  query,
} from 'nestjs-caching';
import { describe, expect, it } from 'vitest';
import { CapturedLogger } from '../support/captured-logger.js';

/** Starts an application with these options, as far as it gets. */
async function boot(options: unknown, controllers: (new () => object)[] = []) {
  const logger = new CapturedLogger();
  const module = await Test.createTestingModule({
    imports: [CachingModule.forRoot(options as never)],
    controllers,
  })
    .setLogger(logger)
    .compile();
  try {
    await module.init();
  } finally {
    await module.close();
  }
  return logger;
}

function viewed(...args: unknown[]) {
  @Controller()
  class ViewedController {
    @Get() @CacheView(...(args as [never])) read() {
      return {};
    }
  }
  return ViewedController;
}

function evicting(...args: unknown[]) {
  @Controller()
  class EvictingController {
    @Post() @CacheEvict(...(args as [never])) write() {
      return {};
    }
  }
  return EvictingController;
}

/** The error that a start fails with. */
async function failure(starting: Promise<unknown>): Promise<CachingConfigError> {
  const error: unknown = await starting.then(
    () => 'started',
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(CachingConfigError);
  return error as CachingConfigError;
}

const DURATIONS: unknown[] = [
  0,
  -1,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  '5',
  '5x',
  '',
  '-5s',
  '1 s',
  '366d',
  31_536_000_001,
  null,
  true,
  {},
];
const COUNTS: unknown[] = [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '10', null];

/** Fields that the module and routes share, with values that can't work and a word of what is allowed. */
const SHARED: [field: string, values: unknown[], allowed: string][] = [
  ['ttl', DURATIONS, "at most '365d' (31536000000 ms)"],
  ['key', ['query', 5, null, [], ['query'], [query(), null], {}, { part: 'x' }], 'query()'],
  ['scope', ['private', 5, null, {}], "'public' or a function"],
  ['statuses', [200, 'all', null, [99], [206], [304], ['200'], [600], [200.5], { abc: '5m' }], 'statuses'],
  ['filter', ['x', null, true], 'a function'],
  ['unless', ['x', null, true], 'a function'],
  ['refresh', ['x', null, true], 'a function'],
  ['maxEntryBytes', COUNTS, 'a whole number of at least 1'],
  ['version', [1, null, {}], 'a string'],
  ['freshness', ['max', true, null], "'min' or 'response' or 'route'"],
  ['honourRequestCacheControl', ['true', 1, null], 'a boolean'],
  ['etag', ['strong', 1, null], 'a boolean'],
  ['downstream', ['1m', 5, null, {}, [], { maxage: '1m' }, { maxAge: 0 }, { public: 'yes' }], ''],
];

const MODULE_ONLY: [field: string, values: unknown[], allowed: string][] = [
  ['namespace', ['', 't', 'a b', 'a:b', 'x'.repeat(65), 5, null, 'é'], '2 to 64 letters'],
  ['enabled', ['false', 0, null], 'a boolean'],
  ['cacheAll', ['true', 1, null], 'a boolean'],
  ['debugHeaders', ['no', 1, null], 'a boolean'],
  ['autoEvict', ['no', 1, null], 'a boolean'],
  ['principal', ['user', null, {}], 'a function'],
  ['credentialCookies', ['sid', '', null, [1], {}, true], "'*' or a list of cookie names"],
  ['store', ['redis', null, {}, 5], 'memory()'],
  ['memory', [64, null, 'x'], 'an object'],
  ['storeTimeout', DURATIONS, 'a duration above 0'],
  ['coalesceTimeout', DURATIONS, 'a duration above 0'],
  ['cacheManager', ['no', 0, null], 'a boolean'],
];

const VIEW_ONLY: [field: string, values: unknown[], allowed: string][] = [
  ['vary', ['x-a', 5, null, [5], [''], ['a b'], ['Host']], 'header names'],
  ['tags', ['books', 5, null, [''], [5], Array.from({ length: 257 }, String)], '256'],
  ['inputs', ['all', true, null], "'reviewed'"],
];

describe('an option of the module', () => {
  it.each([...SHARED, ...MODULE_ONLY])(
    'fails the start where it can not work, naming field and rule: %s',
    async (field, values, allowed) => {
      for (const value of values) {
        const error = await failure(boot({ [field]: value }));
        expect(error.field).toMatch(new RegExp(`^${field}(\\.|$)`));
        expect(error.message).toContain(`CachingModule: option "${error.field}" is `);
        expect(error.message).toMatch(/; allowed: .{5,}/);
        expect(error.allowed).toContain(allowed);
      }
    },
  );

  it.each([
    [0, '0'],
    [-1, '-1'],
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    ['5', '"5"'],
    ['366d', '"366d"'],
  ])('ttl %s is shown as given, with the maximum', async (ttl, shown) => {
    const error = await failure(boot({ ttl }));
    expect(error.message).toContain(
      `option "ttl" is ${shown}; allowed: a duration above 0 and at most '365d'`,
    );
  });

  it.each([
    ['maxBytes', COUNTS],
    ['maxEntries', COUNTS],
  ])('memory.%s is a whole number', async (field, values) => {
    for (const value of values) {
      const error = await failure(boot({ memory: { [field]: value } }));
      expect(error.field).toBe(`memory.${field}`);
    }
  });

  it('that does not exist fails the start, naming it and those that do', async () => {
    const error = await failure(boot({ tll: '5m' }));
    expect(error.field).toBe('tll');
    expect(error.message).toContain('one of ttl, key, scope');
    expect((await failure(boot({ memory: { max: 1 } }))).field).toBe('memory.max');
  });

  it.each([
    [{ tll: '5m' }, 'option "tll" is unknown (did you mean "ttl"?); allowed: one of'],
    [{ Statuses: [200] }, 'option "Statuses" is unknown (did you mean "statuses"?)'],
    [{ timeout: 60 }, 'option "timeout" is unknown (did you mean "ttl"?)'],
    [{ max: 100 }, 'option "max" is unknown (did you mean "memory.maxEntries"?)'],
    [{ toString: 1 }, 'option "toString" is unknown; allowed: one of'],
    [{ memory: { maxByte: 1 } }, 'option "memory.maxByte" is unknown (did you mean "maxBytes"?)'],
    [{ store: 'redis://localhost' }, 'option "store" is a text; allowed: a store: memory(), redis({ url })'],
  ])('that is not known says what may be meant: %j', async (given, told) => {
    expect((await failure(boot(given))).message).toContain(told);
  });

  it('has to stand in an object', async () => {
    for (const given of [null, 5, 'ttl']) {
      expect((await failure(boot(given))).field).toBe('options');
    }
  });

  it.each<unknown>(['1ms', '500ms', '1.5s', '30s', '5m', '2h', '1d', '365d', 1_000, 31_536_000_000])(
    'ttl %s is accepted without a word',
    async (ttl) => {
      expect((await boot({ ttl })).warnings).toEqual([]);
    },
  );

  it.each([
    [{ ttl: 60 }, '"ttl" is 60'],
    [{ ttl: 999 }, '"ttl" is 999'],
    [{ statuses: { 200: '5m', 404: 5 } }, '"statuses.404" is 5'],
  ])('below 1000 warns once that durations are milliseconds: %o', async (options, named) => {
    const { warnings } = await boot(options);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(named);
    expect(warnings[0]).toContain('milliseconds');
  });

  it('of a factory is checked as well', async () => {
    @Module({ imports: [CachingModule.forRootAsync({ useFactory: async () => ({ ttl: 0 }) })] })
    class FactoryModule {}
    const error = await failure(
      Test.createTestingModule({ imports: [FactoryModule] })
        .setLogger(new CapturedLogger())
        .compile(),
    );
    expect(error.message).toContain('"ttl" is 0');
  });
});

describe('an option of @CacheView', () => {
  it.each([...SHARED, ...VIEW_ONLY])(
    'fails the start where it can not work, naming route, field and rule: %s',
    async (field, values, allowed) => {
      for (const value of values) {
        const error = await failure(boot({}, [viewed({ [field]: value })]));
        expect(error.field).toMatch(new RegExp(`^${field}(\\.|$)`));
        expect(error.message).toContain(`@CacheView of ViewedController.read: option "${error.field}" is `);
        expect(error.allowed).toContain(allowed);
      }
    },
  );

  it('is looked for in an object, not in a list', async () => {
    const { message } = await failure(boot({}, [viewed(['books'])]));
    expect(message).toBe(
      '@CacheView of ViewedController.read: option "options" is an array; allowed: an object',
    );
  });

  it.each([0, -1, '5', '5x', '366d'])('as a time alone is checked: %s', async (ttl) => {
    expect((await failure(boot({}, [viewed(ttl)]))).message).toContain('ViewedController.read: option "ttl"');
  });

  it('below 1000 warns about milliseconds, naming the route', async () => {
    for (const given of [30, { ttl: 30 }]) {
      const { warnings } = await boot({}, [viewed(given)]);
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toMatch(/ViewedController\.read: option "ttl" is 30, which is 30 milliseconds/);
    }
  });

  it("warn that nobody is waited for elsewhere: coalesce: 'cluster' without a shared store", async () => {
    const { warnings } = await boot({}, [viewed({ coalesce: 'cluster' })]);
    expect(warnings).toEqual([expect.stringMatching(/ViewedController\.read: option "coalesce"/)]);
  });

  it('that does not exist fails the start, naming it', async () => {
    const error = await failure(boot({}, [viewed({ tag: ['a'] })]));
    expect(error.field).toBe('tag');
    expect(error.message).toContain('ViewedController.read');
    expect(error.message).toContain('tags');
  });
});

describe('an option of @CacheEvict', () => {
  it.each<[string, unknown[]]>([
    ['tags', [{}, { tags: [] }, { tags: 'x' }, { tags: [''] }, { when: () => true }, { all: false }]],
    ['when', [{ tags: ['a'], when: true }]],
    ['all', [{ all: 'yes' }]],
    ['paths', [{ paths: '/a' }, { paths: ['a'] }, { paths: [5] }]],
    ['routes', [{ routes: [[viewed(), 'read']] }, { routes: [['x', 'y']] }]],
    ['path', [{ path: ['/a'] }]],
  ])('fails the start where it can not work, naming route and field: %s', async (field, values) => {
    for (const value of values) {
      const error = await failure(boot({}, [evicting(value)]));
      expect([error.field, error.message]).toEqual([
        field,
        expect.stringContaining('@CacheEvict of EvictingController.write'),
      ]);
    }
  });

  it('without anything to evict fails the start', async () => {
    expect((await failure(boot({}, [evicting()]))).message).toContain('something to evict');
  });
});

describe('a key strategy', () => {
  it.each<[string, () => unknown]>([
    ['include', () => query({ include: 'a' as never })],
    ['ignore', () => query({ ignore: [5] as never })],
    ['ignore', () => query({ include: ['a'], ignore: ['b'] })],
    ['maxBytes', () => jsonBody({ maxBytes: 0 })],
    ['include', () => jsonBody({ include: 5 as never })],
    ['headers', () => headers('x a')],
    ['headers', () => headers('host')],
    ['allow', () => host({ allow: [] })],
  ])('is checked where it is written: %s', (field, make) => {
    expect(make).toThrow(CachingConfigError);
    expect(make).toThrow(`option "${field}"`);
  });
});
