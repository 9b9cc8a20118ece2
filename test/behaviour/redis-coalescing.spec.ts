import { Controller, Get, InternalServerErrorException, Res } from '@nestjs/common';
import { CacheContext, CacheEvictionService, type CachingModuleOptions, CacheView } from 'nestjs-caching';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RedisNames } from '../../libs/caching/src/stores/redis/redis-names.js';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { burst } from '../support/burst.js';
import { eventually, Gate } from '../support/gate.js';
import { countOf, startOnRedis } from '../support/redis/applications.js';
import { type RedisServer, startRedis } from '../support/redis/redis-server.js';

/** What the handlers of all instances have in common. */
class World {
  runs = 0;
  gate = new Gate();

  async run(): Promise<{ run: number }> {
    const run = ++this.runs;
    await this.gate.pass();
    return { run };
  }
}

let world = new World();

/** What the responses of Express and Fastify have in common. */
interface AnyResponse {
  header(name: string, value: string | string[]): unknown;
}

@Controller('views')
@CacheView({ coalesce: 'cluster', tags: ['views'] })
class ViewsController {
  @Get('plain') plain() {
    return world.run();
  }

  @Get('failing') async failing() {
    await world.run();
    throw new InternalServerErrorException('out of order');
  }

  @Get('cookie') async cookie(@Res({ passthrough: true }) response: AnyResponse) {
    const { run } = await world.run();
    response.header('Set-Cookie', `run=${run}`);
    return { run };
  }

  @Get('private') private(@CacheContext() context: CacheContext) {
    context.noStore();
    return world.run();
  }

  @Get('alone') @CacheView({ coalesce: 'instance' }) alone() {
    return world.run();
  }
}

describe.each(PLATFORMS)("coalesce: 'cluster' on %s", (platform) => {
  let server: RedisServer;
  const running: RunningApplication[] = [];

  const start = async (count: number, caching: CachingModuleOptions = {}) => {
    const options = { controllers: [ViewsController], caching };
    const started = await Promise.all(
      Array.from({ length: count }, () => startOnRedis(platform, server.url, options)),
    );
    running.push(...started);
    return started as [RunningApplication, ...RunningApplication[]];
  };
  const total = (type: string) => running.reduce((sum, each) => sum + countOf(each, type), 0);

  beforeAll(async () => {
    server = await startRedis();
  });
  beforeEach(async () => {
    world = new World();
    await server.command('FLUSHALL');
  });
  afterEach(async () => {
    world.gate.open();
    await Promise.all(running.splice(0).map((each) => each.close()));
  });
  afterAll(() => server.close());

  it('runs one handler for 1,000 requests at once over three applications', async () => {
    const [a, b, c] = await start(3);
    const asked = [
      burst(a.port, '/views/plain', 400, 20),
      burst(b?.port ?? 0, '/views/plain', 300, 20),
      burst(c?.port ?? 0, '/views/plain', 300, 20),
    ];
    // Not before all of them have missed does the handler end: none is an ordinary hit.
    await eventually(() => total('miss') === 1_000, 'all requests have missed');
    world.gate.open();
    const replies = (await Promise.all(asked)).flat();
    expect(replies).toHaveLength(1_000);
    expect(new Set(replies.map(({ status, body }) => `${status} ${body}`))).toEqual(
      new Set(['200 {"run":1}']),
    );
    expect(world.runs).toBe(1);
    expect(total('coalesced')).toBe(999);
  });

  it("runs one for each application with 'instance', the default", async () => {
    const apps = await start(3);
    const asked = apps.map(({ port }) => burst(port, '/views/alone', 50, 10));
    await eventually(() => total('miss') === 150, 'all requests have missed');
    world.gate.open();
    await Promise.all(asked);
    expect(world.runs).toBe(3);
  });

  it('lets the other applications run their handlers where one fails, without waiting for each other', async () => {
    const apps = await start(3);
    const asked = apps.map(({ port }) => burst(port, '/views/failing', 10, 10));
    await eventually(() => total('miss') === 30, 'all requests have missed');
    world.gate.open();
    const replies = (await Promise.all(asked)).flat();
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([500]));
    expect(world.runs).toBe(3);
  });

  it.each(['cookie', 'private'])(
    'lets everybody run their own handlers at once for a response that can’t be shared: %s',
    async (kind) => {
      const apps = await start(3, { coalesceTimeout: '1h' });
      const asked = apps.map(({ port }) => burst(port, `/views/${kind}`, 10, 10));
      await eventually(() => total('miss') === 30, 'all requests have missed');
      await eventually(() => world.runs === 1, 'one handler runs');
      world.gate.open();
      const replies = (await Promise.all(asked)).flat();
      expect(new Set(replies.map(({ body }) => body)).size).toBe(30);
      expect(new Set(replies.map(({ verdict }) => verdict))).toEqual(new Set(['MISS']));
      expect(world.runs).toBe(30);
    },
  );

  it('takes over from a holder that does not end, after coalesceTimeout', async () => {
    const [a, b] = await start(2, { coalesceTimeout: 600 });
    const first = a.request('/views/plain');
    await eventually(() => world.runs === 1, 'A runs its handler');
    const held = world.gate;
    world.gate = new Gate();
    world.gate.open();
    const begin = performance.now();
    const second = await b?.request('/views/plain');
    const waited = performance.now() - begin;
    expect([second?.status, second?.text, second?.verdict]).toEqual([200, '{"run":2}', 'MISS']);
    expect(waited).toBeGreaterThan(300);
    expect(waited).toBeLessThan(600 + 1_000);
    held.open();
    expect((await first).text).toBe('{"run":1}');
  });

  it('waits no longer than coalesceTimeout for a lease that nobody gives back', async () => {
    const [a] = await start(1, { coalesceTimeout: 500 });
    world.gate.open();
    const key = await a.app
      .get(CacheEvictionService)
      .keyFor(ViewsController, 'plain', { url: '/views/plain' });
    await server.command('SET', new RedisNames('cache').lease(key), 'somebody', 'PX', '600000');
    const begin = performance.now();
    const { status, verdict } = await a.request('/views/plain');
    const waited = performance.now() - begin;
    expect([status, verdict]).toEqual([200, 'MISS']);
    expect(waited).toBeGreaterThan(450);
    expect(waited).toBeLessThan(500 + 1_000);
    // It was stored all the same, and the lease is somebody else's still.
    expect((await a.request('/views/plain')).verdict).toBe('HIT');
    expect(await server.command('GET', new RedisNames('cache').lease(key))).toBe('somebody');
  });

  it('gives the lease of an application back that is closed while it fills', async () => {
    const [a, b] = await start(2, { coalesceTimeout: '1h' });
    const first = a.request('/views/plain').catch((error: unknown) => error);
    await eventually(() => world.runs === 1, 'A runs its handler');
    const second = b?.request('/views/plain');
    await eventually(() => countOf(b as RunningApplication, 'miss') === 1, 'B has missed');
    const closing = a.close();
    world.gate.open();
    expect((await second)?.status).toBe(200);
    await Promise.all([first, closing]);
  });

  it('does not give what was filled before an eviction to whoever asks after it', async () => {
    const [a, b] = await start(2);
    const first = a.request('/views/plain');
    await eventually(() => world.runs === 1, 'A runs its handler');
    await b?.app.get(CacheEvictionService).byTag('views');
    const second = b?.request('/views/plain');
    await eventually(() => countOf(b as RunningApplication, 'miss') === 1, 'B has missed');
    world.gate.open();
    expect((await first).text).toBe('{"run":1}');
    expect((await second)?.text).toBe('{"run":2}');
  });

  it('leaves no lease behind, and after an error a word that ends by itself', async () => {
    const [a, b] = await start(2);
    world.gate.open();
    await Promise.all([a.request('/views/plain'), b?.request('/views/plain')]);
    await eventually(() => total('stored') >= 1, 'it is stored');
    expect(await server.command('KEYS', 'cache:lease:*')).toEqual([]);
    await a.request('/views/failing');
    const [word = ''] = (await server.command('KEYS', 'cache:lease:*')) as string[];
    expect(Number(await server.command('PTTL', word))).toBeLessThanOrEqual(1_000);
  });

  it('costs nothing while Redis is away, and nothing without a shared store', async () => {
    world.gate.open();
    await using gone = await startRedis();
    const a = await startOnRedis(platform, gone.url, {
      controllers: [ViewsController],
      caching: { storeTimeout: 100 },
    });
    running.push(a);
    await gone.kill();
    const begin = performance.now();
    expect((await a.request('/views/plain')).verdict).toBe('MISS');
    expect(performance.now() - begin).toBeLessThan(500);

    const inMemory = await startApplication(platform, { controllers: [ViewsController] });
    running.push(inMemory);
    const runs = world.runs;
    const verdicts = [await inMemory.request('/views/plain'), await inMemory.request('/views/plain')];
    expect(verdicts.map(({ verdict }) => verdict)).toEqual(['MISS', 'HIT']);
    expect(world.runs).toBe(runs + 1);
  });
});
