import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fastifyView from '@fastify/view';
import { Controller, Get, Header, type INestApplication, Query, Redirect, Render } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Eta } from 'eta';
import { CacheView } from 'nestjs-caching';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Platform, PLATFORMS } from '../support/application.js';
import { REPLAYED, startTwins, type Twins } from '../support/twins.js';
import { wireBytes } from '../support/wire.js';

async function useViews(platform: Platform, app: INestApplication, directory: string): Promise<void> {
  const eta = new Eta({ views: directory });
  if (platform === 'fastify') {
    await (app as unknown as NestFastifyApplication).register(fastifyView, {
      engine: { eta },
      root: directory,
      viewExt: 'eta',
    });
    return;
  }
  const express = app as NestExpressApplication;
  express.engine('eta', (_path: string, data: object, done: (error: unknown, html?: string) => void) => {
    void eta.renderAsync('page', data).then(
      (html) => done(null, html),
      (error: unknown) => done(error),
    );
  });
  express.setBaseViewsDir(directory);
  express.setViewEngine('eta');
}

describe.each(PLATFORMS)('a page that is rendered on %s', (platform) => {
  const directory = mkdtempSync(join(tmpdir(), 'views-'));
  let renders: number;
  let twins: Twins;

  beforeAll(async () => {
    renders = 0;
    writeFileSync(join(directory, 'page.eta'), '<h1><%= it.title %></h1><p><%= it.count() %></p>');
    @Controller()
    class PagesController {
      @Get('page') @Render('page') @CacheView() page() {
        return { title: 'ünï & <b>', count: () => ++renders };
      }

      @Get('headed') @Header('Cache-Control', 'public, max-age=5') @Render('page') @CacheView() headed() {
        return { title: 'headed', count: () => 'static' };
      }
    }
    twins = await startTwins(platform, {
      controllers: [PagesController],
      setUp: (app) => useViews(platform, app, directory),
    });
  });

  afterAll(async () => {
    await twins.close();
    rmSync(directory, { recursive: true });
  });

  it('is sent again without being rendered again', async () => {
    const { miss, hit, verdicts } = await twins.play('/page');
    expect(verdicts).toEqual(REPLAYED);
    expect(miss.text).toBe('<h1>ünï &amp; &lt;b&gt;</h1><p>2</p>');
    expect(wireBytes(hit)).toBe(wireBytes(miss));
    expect(renders).toBe(2);
    expect(twins.cached.logger.errors).toEqual([]);
  });

  it('is what it is without the cache, headers included', async () => {
    const { plain, miss, hit, verdicts } = await twins.play('/headed');
    expect(verdicts).toEqual(REPLAYED);
    expect(plain.field('cache-control')).toBe('public, max-age=5');
    expect(wireBytes(miss)).toBe(wireBytes(plain));
    expect(wireBytes(hit)).toBe(wireBytes(plain));
  });
});

describe.each(PLATFORMS)('a redirect on %s', (platform) => {
  let runs: number;
  let twins: Twins;

  beforeAll(async () => {
    runs = 0;
    // Express writes a redirect's body as the client accepts it, and says so in `Vary`.
    const kept = { statuses: [301, 302, 307], vary: ['accept'] };
    @Controller()
    class RedirectsController {
      @Get('static') @Redirect('/elsewhere') @CacheView(kept) fixed() {
        runs += 1;
      }

      @Get('permanent') @Redirect('/elsewhere', 301) @CacheView(kept) permanent() {
        return undefined;
      }

      @Get('dynamic') @Redirect('/nowhere', 302) @CacheView(kept) dynamic(@Query('to') to: string) {
        return { url: `/to/${to}`, statusCode: 307 };
      }

      @Get('unkept') @Redirect('/elsewhere') @CacheView() unkept() {
        runs += 1;
      }
    }
    twins = await startTwins(platform, { controllers: [RedirectsController] });
  });

  afterAll(() => twins.close());

  it.each([
    ['/static', 302, '/elsewhere'],
    ['/permanent', 301, '/elsewhere'],
    ['/dynamic?to=a', 307, '/to/a'],
    ['/dynamic?to=b', 307, '/to/b'],
  ])('%s is sent again where its status is kept', async (target, status, location) => {
    const { plain, miss, hit, verdicts } = await twins.play(target);
    expect(verdicts).toEqual(REPLAYED);
    expect([hit.status, hit.field('location')]).toEqual([status, location]);
    expect(wireBytes(miss)).toBe(wireBytes(plain));
    expect(wireBytes(hit)).toBe(wireBytes(plain));
    expect(twins.cached.logger.errors).toEqual([]);
  });

  it('runs its handler once while it is kept', async () => {
    runs = 0;
    await twins.play('/static?runs');
    expect(runs).toBe(2);
  });

  it('gives each client the body that it accepts', async () => {
    const html = await twins.play('/static?accept', { headers: { Accept: 'text/html' } });
    const text = await twins.play('/static?accept', { headers: { Accept: 'text/plain' } });
    expect(html.verdicts).toEqual(REPLAYED);
    expect(text.verdicts).toEqual(REPLAYED);
    expect(wireBytes(html.hit)).toBe(wireBytes(html.plain));
    expect(wireBytes(text.hit)).toBe(wireBytes(text.plain));
  });

  it('is not kept by default', async () => {
    runs = 0;
    const { hit } = await twins.play('/unkept');
    expect(hit.verdict).toBe('MISS');
    expect(runs).toBe(3);
  });
});
