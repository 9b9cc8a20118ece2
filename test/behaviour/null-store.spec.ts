import { Controller, Get } from '@nestjs/common';
import { CACHE_MANAGER } from '@nestjs/cache-manager';
import type { Cache } from 'cache-manager';
import { CacheEvictionService, CacheView, nullStore } from 'nestjs-caching';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { poll } from '../support/redis/poll.js';
import { burst } from '../support/burst.js';

let runs = 0;

@Controller('shop')
class ShopController {
  @Get()
  @CacheView({ tags: ['shop'] })
  async list() {
    const run = ++runs;
    await new Promise((resolve) => setTimeout(resolve, 50));
    return { run };
  }
}

describe.each(PLATFORMS)('nullStore() on %s', (platform) => {
  let running: RunningApplication;

  beforeEach(async () => {
    runs = 0;
    running = await startApplication(platform, {
      controllers: [ShopController],
      caching: { store: nullStore() },
    });
  });
  afterEach(() => running.close());

  it('keeps nothing: every request is a miss, and no response is told to be stored', async () => {
    const verdicts: (string | undefined)[] = [];
    for (let times = 0; times < 3; times++) verdicts.push((await running.request('/shop')).verdict);
    expect(verdicts).toEqual(['MISS', 'MISS', 'MISS']);
    expect(runs).toBe(3);
    expect(running.events.filter(({ type }) => type === 'stored')).toEqual([]);
  });

  it('gives those who ask while a handler runs its response', async () => {
    const replies = await burst(running.port, '/shop', 20, 4);
    expect(new Set(replies.map(({ body }) => body)).size).toBe(1);
    expect(runs).toBe(1);
  });

  it('knows evictions: nobody who asks after one is given a response from before it', async () => {
    const first = running.request('/shop');
    await poll('the handler to run', async () => runs > 0 || undefined);
    const receipt = await running.app.get(CacheEvictionService).byTag('shop');
    const second = await running.request('/shop');
    expect(receipt.acknowledged).toBe(true);
    expect([(await first).body.toString(), second.body.toString()]).toEqual(['{"run":1}', '{"run":2}']);
  });

  it('keeps no values of CACHE_MANAGER', async () => {
    const values = running.app.get<Cache>(CACHE_MANAGER);
    await values.set('key', 'value');
    expect(await values.get('key')).toBeUndefined();
    expect(await values.wrap('key', async () => 'made')).toBe('made');
    await values.del('key');
    await values.clear();
  });
});
