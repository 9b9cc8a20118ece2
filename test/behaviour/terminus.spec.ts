import { Controller, Get } from '@nestjs/common';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { CacheHealth, CacheView } from 'nestjs-caching';
import { CacheHealthIndicator } from 'nestjs-caching/terminus';
import { afterEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { startOnRedis, verdictComes } from '../support/redis/applications.js';
import { poll } from '../support/redis/poll.js';
import { startRedis } from '../support/redis/redis-server.js';

@Controller()
class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly cache: CacheHealthIndicator,
  ) {}

  @Get('health')
  @HealthCheck()
  check() {
    return this.health.check([() => this.cache.isHealthy()]);
  }

  @Get('tolerant')
  @HealthCheck()
  tolerant() {
    return this.health.check([() => this.cache.isHealthy('views', { unreachable: 'up' })]);
  }

  @Get('book')
  @CacheView({ ttl: '1h' })
  book() {
    return { name: 'emma' };
  }
}

const metadata = {
  imports: [TerminusModule.forRoot({ logger: false })],
  controllers: [HealthController],
  providers: [CacheHealthIndicator],
};

let running: RunningApplication;

afterEach(() => running.close());

describe.each(PLATFORMS)('the health indicator for Terminus on %s', (platform) => {
  const ask = async (path: string) => {
    const { status, text } = await running.request(path);
    return { status, details: (JSON.parse(text) as { details: Record<string, unknown> }).details };
  };

  it('is up with a store in this process, and tells what is in it', async () => {
    running = await startApplication(platform, metadata);
    await running.request('/book');
    expect(await ask('/health')).toEqual({
      status: 200,
      details: {
        cache: {
          status: 'up',
          store: 'memory',
          reachable: true,
          latencyMs: 0,
          entries: 1,
          bytes: expect.any(Number) as unknown,
        },
      },
    });
  });

  it('is down while Redis is away, within storeTimeout, unless that is to be up', async () => {
    await using server = await startRedis();
    running = await startOnRedis(platform, server.url, { ...metadata, caching: { storeTimeout: 1_000 } });
    await verdictComes(running, '/book', 'HIT');
    expect(await ask('/health')).toMatchObject({
      status: 200,
      details: { cache: { status: 'up', store: 'redis', reachable: true } },
    });
    await server.kill();
    await poll('it is down', async () => (await ask('/health')).status === 503 || undefined);
    expect(await ask('/health')).toMatchObject({
      details: { cache: { status: 'down', store: 'redis', reachable: false } },
    });
    expect(await ask('/tolerant')).toMatchObject({
      status: 200,
      details: { views: { status: 'up', reachable: false } },
    });
    expect(await running.app.get(CacheHealth).check()).toMatchObject({ reachable: false });
    await server.restart();
    await poll('it is up again', async () => (await ask('/health')).status === 200 || undefined);
  });
});
