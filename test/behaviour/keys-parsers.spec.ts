import { Controller, Get, type INestApplication, Query } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { CacheView, query } from 'nestjs-caching';
import { parse } from 'node:querystring';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Platform,
  PLATFORMS,
  type RunningApplication,
  startApplication,
} from '../support/application.js';

type Parser = (text: string | null) => Record<string, unknown>;

/** An application whose queries are read by `parser` instead of the framework's own. */
function startWith(platform: Platform, parser: Parser | 'extended'): Promise<RunningApplication> {
  @Controller()
  class SearchController {
    @Get('most') @CacheView({ key: query({ ignore: ['utm'] }) }) most(@Query() given: object) {
      return given;
    }

    @Get('page') @CacheView({ key: query({ include: ['page', 'sort'] }) }) page(
      @Query('page') page: unknown,
      @Query('sort') sort: unknown,
    ) {
      return { page, sort };
    }
  }
  return startApplication(platform, {
    controllers: [SearchController],
    ...(typeof parser === 'function' && {
      fastify: { routerOptions: { querystringParser: parser } },
    }),
    setUp: (app: INestApplication) => {
      if (platform === 'express') (app as NestExpressApplication).set('query parser', parser);
    },
  });
}

const asker = (running: () => RunningApplication) => async (target: string) => {
  const { verdict, text } = await running().request(target);
  return [verdict, JSON.parse(text) as unknown];
};

describe("keys of queries that Express' extended parser reads", () => {
  let running: RunningApplication;
  const ask = asker(() => running);

  beforeEach(async () => {
    running = await startWith('express', 'extended');
  });
  afterEach(() => running.close());

  it.each(['utm=]=x', 'utm=%5D=x', 'utm=a]b]=x', 'utm[a]=1'])(
    'ignore no parameter that hides behind the name of an ignored one: %s',
    async (hidden) => {
      const [verdict, given] = await ask(`/most?a=1&${hidden}`);
      expect(verdict).toBe('MISS');
      expect(Object.keys(given as object)).toHaveLength(2);
      expect(await ask('/most?a=1')).toEqual(['MISS', { a: '1' }]);
      expect(await ask('/most?a=1&utm=b')).toEqual(['HIT', { a: '1' }]);
    },
  );

  it('keep the order of values that such a parameter has', async () => {
    expect(await ask('/most?a=]=1&a%3D]=2')).toEqual(['MISS', { 'a=]': ['1', '2'] }]);
    expect(await ask('/most?a%3D]=2&a=]=1')).toEqual(['MISS', { 'a=]': ['2', '1'] }]);
  });
});

describe.each(PLATFORMS)('keys of queries that the application parses by itself on %s', (platform) => {
  let running: RunningApplication;
  const ask = asker(() => running);

  afterEach(() => running.close());

  it('include a name in any case, as a parser may fold it', async () => {
    running = await startWith(platform, (text) => parse(text?.toLowerCase() ?? ''));
    expect(await ask('/page?PAGE=2')).toEqual(['MISS', { page: '2' }]);
    expect(await ask('/page')).toEqual(['MISS', {}]);
    expect(await ask('/page?Page=3&x=1')).toEqual(['MISS', { page: '3' }]);
    expect(await ask('/page?SORT=b')).toEqual(['MISS', { sort: 'b' }]);
    expect(await ask('/page?x=2')).toEqual(['HIT', {}]);
  });
});
