import { Controller, Get, HttpCode, Post } from '@nestjs/common';
import {
  CacheEvict,
  type CacheEvictOptions,
  CacheView,
  type CacheViewOptions,
  type CachingModuleOptions,
} from 'nestjs-caching';
import { afterEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { verdictsOf } from '../support/verdicts.js';

const MISTAKES: [string, () => unknown][] = [
  [
    'throws',
    () => {
      throw new Error('oops');
    },
  ],
  ['rejects', () => Promise.reject(new Error('oops'))],
  [
    'throws what is no error',
    () => {
      throw 'oops';
    },
  ],
];

const CALLBACKS = ['key', 'unless', 'refresh', 'tags', 'scope', 'principal', 'filter'] as const;

/** What each callback must not return. */
const NONSENSE: Record<(typeof CALLBACKS)[number] | 'when', readonly unknown[]> = {
  key: [undefined, null, '', Number.NaN, {}, [], Symbol('x'), () => 1],
  unless: [undefined, null, 'no', 0, {}],
  refresh: [undefined, null, 'no', 1, []],
  tags: [undefined, null, 'books', [1], ['']],
  scope: ['', true, {}, [], Number.NaN, Number.POSITIVE_INFINITY],
  principal: [],
  filter: [undefined, null, 'yes', 1, Promise.resolve(true)],
  when: [undefined, 'yes', 1],
};

describe.each(PLATFORMS)('callbacks on %s', (platform) => {
  let running: RunningApplication;
  let runs: number;

  const start = async (
    view: CacheViewOptions,
    caching: CachingModuleOptions = {},
    evict?: CacheEvictOptions,
  ) => {
    runs = 0;
    @Controller()
    class CallbackController {
      @Get('read') @CacheView(view) read() {
        return { run: ++runs };
      }

      @Post('write') @HttpCode(200) @CacheEvict(evict ?? { tags: ['x'] }) write() {
        return { written: true };
      }
    }
    running = await startApplication(platform, { controllers: [CallbackController], caching });
  };
  const withCallback = (callback: string, call: unknown) =>
    callback === 'principal' ? start({}, { principal: call as never }) : start({ [callback]: call as never });

  afterEach(() => running.close());

  it('key: what an absent header is to be called is told where a callback makes nothing of it', async () => {
    await start({ key: ({ headers }) => headers['x-shop'] ?? '' });
    expect((await running.request('/read')).status).toBe(500);
    expect(running.logger.errors.at(-1)).toContain(`returned ""; allowed: a non-empty string`);
    expect(running.logger.errors.at(-1)).toContain("for what is absent, a word such as 'none'");
  });

  describe.each(CALLBACKS)('%s', (callback) => {
    it.each(MISTAKES)(
      'that %s fails the request with an error that names it, never a shared key',
      async (_what, call) => {
        // A filter answers at once: that a promise is nonsense there is tested below.
        await withCallback(callback, call);
        for (let round = 0; round < 2; round++) {
          const reply = await running.request('/read');
          expect(reply.status).toBe(500);
          expect(reply.text).not.toContain('oops');
          expect(running.logger.errors.at(-1)).toContain(
            `The ${callback} callback of CallbackController.read`,
          );
        }
        expect(running.events.filter(({ type }) => type === 'stored' || type === 'hit')).toEqual([]);
      },
    );

    it('that returns nonsense fails the request with an error that names it and what is allowed', async () => {
      for (const value of NONSENSE[callback]) {
        await withCallback(callback, () => value);
        for (let round = 0; round < 2; round++) {
          const reply = await running.request('/read');
          expect([String(value).slice(0, 20), reply.status]).toEqual([String(value).slice(0, 20), 500]);
          expect(running.logger.errors.at(-1)).toMatch(
            new RegExp(`The ${callback} callback of CallbackController.read returned .*; allowed: `),
          );
        }
        await running.close();
      }
      await start({});
      expect((await running.request('/read')).status).toBe(200);
    });
  });

  it.each(['at once', 'later'])('unless: true neither reads nor writes, decided %s', async (when) => {
    await start({
      unless: ({ headers }) => {
        const decision = headers['x-preview'] === '1';
        return when === 'later' ? Promise.resolve(decision) : decision;
      },
    });
    const preview = { target: '/read', headers: { 'x-preview': '1' } };
    expect(await verdictsOf(running, preview, '/read', preview, '/read')).toEqual([
      'BYPASS',
      'MISS',
      'BYPASS',
      'HIT',
    ]);
    expect((await running.request('/read')).text).toBe('{"run":2}');
    expect((await running.request('/read', preview)).cacheStatus).toBe(
      'nestjs-caching; fwd=bypass; detail=unless',
    );
  });

  it.each(['at once', 'later'])('refresh: true runs the handler and overwrites, decided %s', async (when) => {
    await start({
      refresh: ({ headers }) => {
        const decision = headers['x-refresh'] === '1';
        return when === 'later' ? Promise.resolve(decision) : decision;
      },
    });
    const refresh = { headers: { 'x-refresh': '1' } };
    expect(await verdictsOf(running, '/read', '/read')).toEqual(['MISS', 'HIT']);
    const refreshed = await running.request('/read', refresh);
    expect(refreshed.cacheStatus).toBe('nestjs-caching; fwd=request; stored; ttl=300');
    expect(refreshed.text).toBe('{"run":2}');
    const next = await running.request('/read');
    expect([next.verdict, next.text]).toEqual(['HIT', '{"run":2}']);
  });

  it('that fail for one request leave what is stored for others alone', async () => {
    await start({
      key: ({ query }) => {
        if (query.bad === '1') throw new Error('bad');
        return 'same';
      },
    });
    expect((await running.request('/read')).verdict).toBe('MISS');
    expect((await running.request('/read?bad=1')).status).toBe(500);
    expect((await running.request('/read')).verdict).toBe('HIT');
  });

  it.each(MISTAKES)('of @CacheEvict: when and tags that fail are told (%s)', async (_what, call) => {
    for (const [callback, evict] of [
      ['when', { tags: ['x'], when: call }],
      ['tags', { tags: call }],
    ] as const) {
      await start({}, {}, evict as never);
      expect((await running.request('/write', { method: 'POST' })).status).toBe(500);
      expect(running.logger.errors.at(-1)).toContain(
        `The ${callback} callback of CallbackController.write failed`,
      );
      await running.close();
    }
    await start({});
    expect((await running.request('/write', { method: 'POST' })).status).toBe(200);
  });

  it('of @CacheEvict: a when that returns nonsense is told', async () => {
    for (const value of NONSENSE.when) {
      await start({}, {}, { tags: ['x'], when: () => value as never });
      expect((await running.request('/write', { method: 'POST' })).status).toBe(500);
      expect(running.logger.errors.at(-1)).toMatch(/The when callback of CallbackController.write returned/);
      await running.close();
    }
    await start({});
    expect((await running.request('/write', { method: 'POST' })).status).toBe(200);
  });

  it('of @CacheEvict: when decides, at once or later', async () => {
    await start({ tags: ['x'] }, {}, { tags: ['x'], when: async ({ query }) => query.yes === '1' });
    await running.request('/read');
    await running.request('/write?yes=0', { method: 'POST' });
    expect(await verdictsOf(running, '/read')).toEqual(['HIT']);
    await running.request('/write?yes=1', { method: 'POST' });
    expect(await verdictsOf(running, '/read')).toEqual(['MISS']);
  });
});
