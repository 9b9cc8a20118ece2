import { Controller, Get, type Type } from '@nestjs/common';
import { CacheView } from 'nestjs-caching';
import { describe, expect, it } from 'vitest';
import { KeyBuilder, MEMO_BYTES } from '../../libs/caching/src/http/key-builder.js';
import type { NamedKeyStrategy } from '../../libs/caching/src/http/key-strategy.js';
import { RequestView } from '../../libs/caching/src/http/request-view.js';
import { RecentBudget } from '../../libs/caching/src/recent-map.js';
import { CachingRuntime } from '../../libs/caching/src/caching.runtime.js';
import { startApplication } from '../support/application.js';
import { memoryUse } from '../support/faults/memory-use.js';

const ROUTES = 60;
const URLS = 500;
const PADDING = 'x'.repeat(900);

describe('what is remembered of URLs', () => {
  it('is bounded for all routes of an application together', async () => {
    let made = 0;
    const strategy: NamedKeyStrategy = {
      name: 'counted',
      source: 'url',
      covers: {},
      part: () => {
        made += 1;
        return '';
      },
    };
    const budget = new RecentBudget(MEMO_BYTES);
    const builders = Array.from(
      { length: ROUTES },
      (_, at) =>
        new KeyBuilder({
          namespace: 'n',
          version: '',
          route: `R.r${at}`,
          method: 'GET',
          scoped: false,
          strategies: [strategy],
          budget,
        }),
    );
    const ask = async (builder: KeyBuilder, at: number): Promise<void> => {
      const request = new RequestView({ method: 'GET', url: `/${at}?${PADDING}`, headers: {} });
      await builder.build(request, undefined);
      builder.remember(request);
    };
    for (const builder of builders) for (let at = 0; at < URLS; at++) await ask(builder, at);
    // Those of the last route are there still.
    made = 0;
    for (let at = 0; at < URLS; at++) await ask(builders.at(-1) as KeyBuilder, at);
    expect(made).toBe(0);
    // From the newest to the oldest, so that what is remembered meanwhile pushes out none that is still to be asked for.
    for (const builder of builders.toReversed())
      for (let at = URLS - 1; at >= 0; at--)
        await builder.build(
          new RequestView({ method: 'GET', url: `/${at}?${PADDING}`, headers: {} }),
          undefined,
        );
    const remembered = ROUTES * URLS - made;
    expect(remembered * PADDING.length).toBeLessThan(2 * MEMO_BYTES);
    expect(remembered).toBeGreaterThan(URLS);
  });

  it('takes a few megabytes where clients ask many routes for many long URLs', async () => {
    const controllers = Array.from({ length: ROUTES }, (_, at): Type => {
      @Controller(`r${at}`)
      class LongController {
        @Get() @CacheView() list() {
          return at;
        }
      }
      Object.defineProperty(LongController, 'name', { value: `Long${at}` });
      return LongController;
    });
    const running = await startApplication('fastify', { controllers });
    try {
      const routes = running.app.get(CachingRuntime).http.routes;
      const ask = async (from: number, to: number): Promise<void> => {
        for (const controller of controllers) {
          const key = routes.named(controller, 'list')?.view?.key as KeyBuilder;
          for (let at = from; at < to; at++) {
            const request = new RequestView({ method: 'GET', url: `/?${at}${PADDING}`, headers: {} });
            await key.build(request, undefined);
            key.remember(request);
          }
        }
      };
      await ask(0, 1);
      const before = await memoryUse();
      await ask(1, URLS);
      expect((await memoryUse()).live - before.live).toBeLessThan(3 * MEMO_BYTES);
    } finally {
      await running.close();
    }
  });
});
