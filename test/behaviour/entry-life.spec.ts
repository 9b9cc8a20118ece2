import { Controller, Get, Header } from '@nestjs/common';
import { CacheView, memory } from 'nestjs-caching';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isEntry } from '../../libs/caching/src/cache/entry.js';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { FakeClock } from '../support/fake-clock.js';
import type { Entry } from '../../libs/caching/src/cache/entry.js';

@Controller('lives')
class LivesController {
  @Get('plain')
  @CacheView({ ttl: '1m' })
  plain() {
    return { a: 1 };
  }

  @Get('shorter')
  @CacheView({ ttl: '1m' })
  @Header('Cache-Control', 'max-age=5')
  shorter() {
    return { a: 1 };
  }

  @Get('old')
  @CacheView({ ttl: '1m' })
  @Header('Age', '10')
  old() {
    return { a: 1 };
  }

  @Get('stale')
  @CacheView({ ttl: '1m', staleWhileRevalidate: '1m' })
  stale() {
    return { a: 1 };
  }

  @Get('strict')
  @CacheView({ ttl: '1m' })
  @Header('Cache-Control', 'max-age=60, must-revalidate')
  strict() {
    return { a: 1 };
  }
}

describe.each(PLATFORMS)('What is kept with an entry on %s', (platform) => {
  let running: RunningApplication;
  const entries = new Map<string, Entry>();

  beforeEach(async () => {
    const store = memory({ clock: new FakeClock() });
    running = await startApplication(platform, {
      caching: { ttl: '1m', store },
      controllers: [LivesController],
    });
    for (const name of ['plain', 'shorter', 'old', 'stale', 'strict'])
      await running.request(`/lives/${name}`);
    store.each((entry) => {
      const [name] = /(?<=lives\/)[a-z]+/.exec(entry.key) ?? [];
      const found = store.lookup(entry.key);
      if (isEntry(found)) entries.set(String(name), found);
      return true;
    });
  });

  afterEach(() => running.close());

  it.each(['plain', 'shorter'])('is no life where it is fresh until it is forgotten: %s', (name) => {
    expect(entries.get(name)).toMatchObject({ key: expect.stringContaining(name), freshness: undefined });
  });

  it.each([
    ['old', { ageAtStore: 10_000 }],
    ['stale', { staleForbidden: false }],
    ['strict', { staleForbidden: true }],
  ])('is one where it says more: %s', (name, life) => {
    expect(entries.get(name)?.freshness).toMatchObject(life);
  });

  it('is the same list of what was removed for all from which nothing was', () => {
    const [plain, strict] = ['plain', 'strict'].map((name) => entries.get(name)?.response.removed);
    expect(plain).toEqual([]);
    expect(strict).toBe(plain);
  });
});
