import { Controller, Get, Header, HostParam, Query } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { CacheView, custom, host, query } from 'nestjs-caching';
import { afterEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';

describe.each(PLATFORMS)('requests made to share a key on %s', (platform) => {
  let running: RunningApplication;
  afterEach(() => running.close());

  it('do not, where empty parameters push others past what a parser reads', async () => {
    @Controller('page')
    class PageController {
      @Get() @CacheView() page(@Query() read: Record<string, unknown>) {
        return { ...read };
      }
    }
    running = await startApplication(platform, { controllers: [PageController] });
    await running.request(`/page?${'&'.repeat(1000)}page=2`);
    expect((await running.request('/page?page=2')).text).toBe('{"page":"2"}');
    await running.request('/page?b=1#&a=2');
    expect((await running.request('/page?a=2&b=1#')).verdict).toBe('MISS');
  });

  it('bypass where the framework goes by a forwarded host and the key by another', async () => {
    @Controller({ path: 'home', host: ':tenant.example.com' })
    class TenantController {
      @Get()
      @CacheView({ key: [query(), host({ allow: ['a.example.com', 'b.example.com'] })] })
      home(@HostParam('tenant') tenant: string) {
        return { tenant };
      }
    }
    running = await startApplication(platform, {
      controllers: [TenantController],
      fastify: { trustProxy: true },
      setUp: (app) =>
        void (platform === 'express' && (app as NestExpressApplication).set('trust proxy', true)),
    });
    const ask = (headers: Record<string, string>) => running.request('/home', { headers });
    const forwarded = await ask({ host: 'a.example.com', 'x-forwarded-host': 'b.example.com' });
    expect([forwarded.text, forwarded.cacheStatus]).toEqual([
      '{"tenant":"b"}',
      'nestjs-caching; fwd=bypass; detail=host',
    ]);
    expect((await ask({ host: 'a.example.com' })).text).toBe('{"tenant":"a"}');
    expect((await ask({ host: 'a.example.com' })).verdict).toBe('HIT');
  });

  it('do not, where the handler itself declares what it varies on', async () => {
    let language = 'en';
    @Controller('greeting')
    class GreetingController {
      @Get() @Header('Vary', 'Accept-Language') @CacheView() undeclared() {
        return { language };
      }

      @Get('keyed') @Header('Vary', 'Accept-Language') @CacheView({ vary: ['accept-language'] }) keyed() {
        return { language };
      }
    }
    running = await startApplication(platform, { controllers: [GreetingController] });
    const ask = (path: string) => running.request(path, { headers: { 'accept-language': language } });
    for (const path of ['/greeting', '/greeting/keyed']) {
      for (const verdict of ['MISS', 'HIT']) {
        for (language of ['en', 'de']) {
          const { text, verdict: seen } = await ask(path);
          expect([text, seen]).toEqual([`{"language":"${language}"}`, verdict]);
        }
      }
    }
  });

  it('are principals of two types apart', async () => {
    @Controller('me')
    class MeController {
      @Get()
      @CacheView({ key: custom(() => 'same'), scope: ({ headers }) => (headers['x-n'] ? 7 : '7') })
      me() {
        return { at: Math.random() };
      }
    }
    running = await startApplication(platform, { controllers: [MeController] });
    await running.request('/me', { headers: { 'x-n': '1' } });
    expect((await running.request('/me')).verdict).toBe('MISS');
  });
});
