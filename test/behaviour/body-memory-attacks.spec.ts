import { gunzipSync } from 'node:zlib';
import type { Server, Socket } from 'node:net';
import { CACHE_MANAGER } from '@nestjs/cache-manager';
import { Controller, Get, Header, Headers, HttpException, Param } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Cache } from 'cache-manager';
import {
  CacheEvents,
  CacheEvictionService,
  CacheInspector,
  CacheView,
  type CachingModuleOptions,
  redis,
} from 'nestjs-caching';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { burst } from '../support/burst.js';
import { eventually, turns } from '../support/gate.js';
import { SlowReader } from '../support/pipelined.js';
import type { RawResponse } from '../support/raw-http.js';
import { startRedis } from '../support/redis/redis-server.js';
import { SqliteStorage } from '../support/sqlite/storage.js';

const LENGTHS = [2_100, 9_900, 33_000, 60_000] as const;
const MAX_LENGTH = 60_000;

/** Room for a few entries, and for the memory of a few to wait: nearly all are dropped at once. */
const TINY = { maxBytes: 4 * 1024 * 1024, maxEntries: 4 } as const;

/** Says all through whose it is. */
function pageOf(owner: string, length: number = MAX_LENGTH): string {
  return `<${owner}>`.repeat(Math.ceil(length / (owner.length + 2))).slice(0, length);
}

function lengthOf(owner: number): number {
  return LENGTHS[owner % LENGTHS.length] as number;
}

/** What a hook of the application on Fastify adds to whole pages. */
const END = '<end>';

/** What was shown to filters, and what it has to say for ever. */
let shown: { readonly body: Buffer; readonly text: string }[] = [];
let runs = 0;

@Controller('pages')
@CacheView({ ttl: '1m', tags: ['pages'] })
class PagesController {
  @Get('long/:owner') long(@Param('owner') owner: string) {
    return pageOf(owner);
  }

  @Get('plain/:owner') plain(@Param('owner') owner: string) {
    return pageOf(`plain${owner}`, lengthOf(Number(owner)));
  }

  @Get('hooked/:owner') hooked(@Param('owner') owner: string) {
    return pageOf(`hooked${owner}`, lengthOf(Number(owner)));
  }

  @Get('varied/:owner') @Header('Vary', 'x-kind') varied(
    @Param('owner') owner: string,
    @Headers('x-kind') kind = '',
  ) {
    return pageOf(`varied${owner}${kind}`, lengthOf(Number(owner)));
  }

  @Get('stale/:owner')
  @CacheView({ staleWhileRevalidate: '1h', staleIfError: '1h' })
  stale(@Param('owner') owner: string) {
    if (++runs % 3 === 0) throw new HttpException(pageOf(`stale${owner}`, 100), 503);
    return pageOf(`stale${owner}`, lengthOf(Number(owner)));
  }

  @Get('renewed/:owner')
  @CacheView({ validator: () => 1 })
  async renewed(@Param('owner') owner: string) {
    await turns(2);
    return pageOf(`renewed${owner}`, lengthOf(Number(owner)));
  }

  @Get('filtered/:owner')
  @CacheView({
    filter: ({ body }) => {
      shown.push({ body, text: body.toString() });
      return true;
    },
  })
  filtered(@Param('owner') owner: string) {
    return pageOf(`filtered${owner}`, lengthOf(Number(owner)));
  }
}

const KINDS = ['plain', 'hooked', 'varied', 'stale', 'renewed', 'filtered'] as const;

async function start(
  platform: (typeof PLATFORMS)[number],
  caching: CachingModuleOptions,
  realTime = false,
): Promise<RunningApplication> {
  const running = await startApplication(platform, {
    controllers: [PagesController],
    realTime,
    caching: { memory: TINY, ...caching },
    setUp: (app) => {
      if (platform !== 'fastify') return;
      (app as unknown as NestFastifyApplication)
        .getHttpAdapter()
        .getInstance()
        .addHook('onSend', (request, reply, payload, done) => {
          const isWhole = reply.statusCode === 200 && !reply.hasHeader('content-encoding');
          const isHooked = isWhole && request.method === 'GET' && request.url.startsWith('/pages/hooked');
          done(null, isHooked ? `${String(payload as string | Buffer)}${END}` : payload);
        });
    },
  });
  onTestFinished(() => running.close());
  return running;
}

describe.each(PLATFORMS)('replies that wait for a slow reader on %s', (platform) => {
  let readers: SlowReader[] = [];

  afterEach(() => {
    for (const reader of readers.splice(0)) reader.leave();
  });

  /** Until the server can write no more, and keeps what it was to write. */
  const keepWaiting = async (running: RunningApplication, owner: string, fields: string): Promise<void> => {
    let ownSide: Socket | undefined;
    (running.app.getHttpServer() as Server).once('connection', (socket) => (ownSide = socket));
    const reader = await SlowReader.connect(running.port);
    readers.push(reader);
    const waiting = (): number => ownSide?.writableLength ?? 0;
    for (let stuck = 0; stuck < 20; stuck = waiting() > 0 ? stuck + 1 : 0) {
      if (stuck === 0) {
        const before = running.events.length;
        reader.ask(`/pages/long/${owner}`, 20, fields);
        await eventually(() => running.events.length > before || waiting() > 0, `${owner} is answered`);
      }
      await turns(1);
    }
  };

  it.each([
    ['whole', '', 200, 0, 'stored'],
    ['in part', 'Range: bytes=100-\r\n', 206, 100, 'stored'],
    ['as far as they go when the application ends', '', 200, 0, 'closed'],
  ] as const)('are its own, %s, whatever is stored meanwhile', async (_what, fields, status, from, end) => {
    readers = [];
    const running = await start(platform, {});
    const owners = ['ada', 'bob', 'cleo'];
    for (const owner of owners) {
      await running.request(`/pages/long/${owner}`);
      await keepWaiting(running, owner, fields);
    }
    for (let n = 0; n < 60; n++) await burst(running.port, `/pages/long/other-${n}`, 2, 2);
    if (end === 'closed') void running.close();
    const given = await Promise.all(readers.map((reader) => reader.read()));
    for (const [n, replies] of given.entries()) {
      const own = Buffer.from(pageOf(owners[n] as string)).subarray(from);
      expect(replies.length).toBeGreaterThanOrEqual(20);
      expect(replies.filter((reply) => reply.status !== status || !reply.body.equals(own))).toEqual([]);
    }
  });
});

describe.each(PLATFORMS)('a store that keeps nearly nothing on %s', (platform) => {
  /** Any of numbers below `count`, the same in each run. */
  const picker = (seed: number) => {
    let state = seed;
    return (count: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
      return (state >> 8) % count;
    };
  };

  /** One request of any sort; what is wrong with its reply, if anything. */
  const askOnce = async (
    running: RunningApplication,
    pick: (n: number) => number,
  ): Promise<string | undefined> => {
    const kind = KINDS[pick(KINDS.length)] as (typeof KINDS)[number];
    const owner = pick(40);
    const target = `/pages/${kind}/${owner}`;
    const variant: Record<string, string> = kind === 'varied' ? { 'x-kind': 'abc'.charAt(pick(3)) } : {};
    const name = `${kind}${owner}${variant['x-kind'] ?? ''}`;
    const whole = pageOf(name, lengthOf(owner));
    const end = platform === 'fastify' && kind === 'hooked' ? END : '';
    const ask = async (fields: Record<string, string> = {}): Promise<RawResponse> =>
      running.request(target, { headers: { ...variant, ...fields } });
    const wrong = ({ status, headers, body }: RawResponse): string | undefined => {
      const isCoded = headers['content-encoding'] === 'gzip';
      const text = (isCoded ? gunzipSync(body) : body).toString();
      const wanted = {
        200: isCoded ? whole : whole + end,
        206: whole.slice(50, 2_000),
        304: '',
        503: JSON.stringify({ statusCode: 503, message: pageOf(name, 100) }),
      }[status];
      return text === wanted ? undefined : `${status} ${target} for ${name}: ${text.slice(0, 60)}`;
    };
    switch (pick(8)) {
      case 0: {
        const replies = await burst(running.port, `/pages/plain/${owner}`, 6, 2);
        const page = pageOf(`plain${owner}`, lengthOf(owner));
        return replies.some(({ body }) => body !== page) ? `burst of ${owner}` : undefined;
      }
      case 1:
        return wrong(await ask({ range: 'bytes=50-1999' }));
      case 2: {
        const { body } = await running.request(target, { method: 'HEAD', headers: variant });
        return body.length === 0 ? undefined : `HEAD ${target} has a body`;
      }
      case 3:
        return wrong(await ask({ 'accept-encoding': 'gzip' }));
      case 4: {
        const leaving = await SlowReader.connect(running.port);
        leaving.ask(target, 3);
        await turns(pick(4));
        leaving.leave();
        return undefined;
      }
      case 5:
        return wrong(await ask({ 'if-none-match': String((await ask()).headers['etag']) }));
      case 6:
        return wrong(await ask({ 'cache-control': 'no-cache' }));
      default:
        return wrong(await ask());
    }
  };

  /** What else goes on in an application. */
  const disturb = async (running: RunningApplication, pick: (n: number) => number) => {
    const values = running.app.get<Cache>(CACHE_MANAGER, { strict: false });
    const name = `value-${pick(10)}`;
    if (pick(3) === 0) await values.set(name, pageOf(name, 4_000));
    const value = await values.get(name);
    if (pick(4) === 0) running.app.get(CacheInspector, { strict: false }).search(`${pick(40)}`, 5);
    if (pick(6) === 0) running.clock.advance(20_000);
    if (pick(8) === 0)
      await running.app.get(CacheEvictionService, { strict: false }).byTag('pages', { soft: pick(2) === 0 });
    return value === undefined || value === pageOf(name, 4_000) ? undefined : `${name} is not its own`;
  };

  it.each(['memory', 'SQLite', 'Redis'] as const)(
    'gives to each its own, to whoever asks however for whatever: %s',
    async (kind) => {
      shown = [];
      const caching: CachingModuleOptions = {
        compression: true,
        honourRequestCacheControl: true,
        storeTimeout: '5s',
      };
      if (kind === 'SQLite') {
        const storage = new SqliteStorage();
        onTestFinished(() => storage.close());
        Object.assign(caching, { store: storage.connect() });
      } else if (kind === 'Redis') {
        const server = await startRedis();
        onTestFinished(() => server.close());
        Object.assign(caching, { store: redis({ url: server.url }) });
      }
      const running = await start(platform, caching, kind !== 'memory');
      const inspector = running.app.get(CacheInspector, { strict: false });
      running.app.get(CacheEvents, { strict: false }).on((event) => {
        if (event.type === 'evicted') inspector.search('', 3);
      });
      const wrong: string[] = [];
      const clients = Array.from({ length: 8 }, async (_, n) => {
        const pick = picker(n + 1);
        for (let step = 0; step < 40; step++) {
          const found = (await askOnce(running, pick)) ?? (await disturb(running, pick));
          if (found !== undefined) wrong.push(found);
        }
      });
      await Promise.all(clients);
      expect(wrong).toEqual([]);
      expect(shown.length).toBeGreaterThan(10);
      expect(shown.filter(({ body, text }) => body.toString() !== text)).toEqual([]);
      const stored = running.events.filter(({ type }) => type === 'stored').length;
      const hits = running.events.filter(({ type }) => type === 'hit').length;
      expect(Math.min(stored, hits)).toBeGreaterThan(10);
    },
  );
});
