import { Controller, Get, Header, HttpCode } from '@nestjs/common';
import { CacheView } from 'nestjs-caching';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PLATFORMS } from '../support/application.js';
import { REPLAYED, startTwins, type Twins } from '../support/twins.js';
import { wireBytes, wireRequest } from '../support/wire.js';

const VALUES: Readonly<Record<string, () => unknown>> = {
  object: () => ({ a: 1, nested: { list: [1, null, 'é'] } }),
  array: () => [1, 2, 3],
  'empty-object': () => ({}),
  string: () => 'plain text, ünïcödé, 日本',
  'empty-string': () => '',
  null: () => null,
  undefined: () => undefined,
  false: () => false,
  true: () => true,
  zero: () => 0,
  number: () => 1.5,
  date: () => new Date(0),
  buffer: () => Buffer.from([0, 255, 128, 13, 10, 0]),
  'uint8-array': () => Uint8Array.from([1, 2, 3, 254]),
  'uint16-array': () => Uint16Array.from([1, 2, 65_535]),
  'one-byte': () => 'x',
  'large-text': () => 'é'.repeat(200_000),
  'promise-of-null': () => Promise.resolve(null),
};

class Unserialisable {
  readonly self = this;
}

describe.each(PLATFORMS)('the value that a handler returns on %s', (platform) => {
  const shared = Buffer.from('as it was sent');
  let runs = 0;
  let twins: Twins;

  beforeAll(async () => {
    @Controller()
    class ValuesController {
      @Get('shared') @Header('content-type', 'application/x-shared') @CacheView() shared() {
        return platform === 'express' ? shared.toString() : shared;
      }

      @Get('typed') @Header('content-type', 'application/vnd.mine+json') @CacheView() typed() {
        return { typed: true };
      }

      @Get('no-content') @HttpCode(204) @CacheView({ statuses: [204] }) noContent() {
        return undefined;
      }

      @Get('no-content-text') @HttpCode(204) @CacheView({ statuses: [204] }) noContentText() {
        return 'nobody sees this';
      }

      @Get('circular') @CacheView() circular() {
        runs += 1;
        return new Unserialisable();
      }

      @Get('bigint') @CacheView() bigint() {
        runs += 1;
        return { big: 10n };
      }

      @Get('text-object') @Header('Content-Type', 'text/plain') @CacheView() textObject() {
        return { not: 'text' };
      }
    }
    for (const [name, make] of Object.entries(VALUES)) {
      Object.defineProperty(ValuesController.prototype, name, {
        value: make,
        enumerable: true,
        writable: true,
      });
      const handler = Object.getOwnPropertyDescriptor(ValuesController.prototype, name) as PropertyDescriptor;
      // Each handler is a function of its own: decorators write on it.
      handler.value = function () {
        return make();
      };
      Object.defineProperty(ValuesController.prototype, name, handler);
      Get(`value/${name}`)(ValuesController.prototype, name, handler);
      CacheView()(ValuesController.prototype, name, handler);
    }
    twins = await startTwins(platform, { controllers: [ValuesController] });
  });

  afterAll(() => twins.close());

  it.each(Object.keys(VALUES))(
    '%s: the hit is, byte for byte, the miss, and both what there is without the cache',
    async (name) => {
      const { plain, miss, hit, verdicts } = await twins.play(`/value/${name}`);
      expect(verdicts).toEqual(REPLAYED);
      expect(plain.status).toBe(200);
      expect(wireBytes(miss)).toBe(wireBytes(plain));
      expect(wireBytes(hit)).toBe(wireBytes(miss));
    },
  );

  it.each(['typed', 'no-content', 'no-content-text'])('%s: keeps its status and type', async (name) => {
    const { plain, miss, hit, verdicts } = await twins.play(`/${name}`);
    expect(verdicts).toEqual(REPLAYED);
    expect(wireBytes(miss)).toBe(wireBytes(plain));
    expect(wireBytes(hit)).toBe(wireBytes(miss));
  });

  it('is kept as it was sent, whatever its handler does to it later', async () => {
    const miss = await wireRequest(twins.cached.port, '/shared');
    shared.fill(0);
    const hit = await wireRequest(twins.cached.port, '/shared');
    expect(hit.verdict).toBe('HIT');
    expect(miss.text).toBe('as it was sent');
    expect(wireBytes(hit)).toBe(wireBytes(miss));
  });

  it('is sent as Express sends it, or refused as Fastify refuses it, where it does not fit its type', async () => {
    const { plain, miss, hit } = await twins.play('/text-object');
    expect(plain.status).toBe(platform === 'express' ? 200 : 500);
    expect(wireBytes(miss)).toBe(wireBytes(plain));
    expect(wireBytes(hit)).toBe(wireBytes(plain));
  });

  it.each(['circular', 'bigint'])(
    '%s: gives the error that there is without the cache, and it is not kept',
    async (name) => {
      runs = 0;
      const { plain, miss, hit } = await twins.play(`/${name}`);
      expect(wireBytes(miss)).toBe(wireBytes(plain));
      expect(wireBytes(hit)).toBe(wireBytes(plain));
      expect(hit.verdict).not.toBe('HIT');
      expect(runs).toBe(3);
    },
  );
});

describe.each(PLATFORMS)('the size of a body on %s', (platform) => {
  const limit = 1_000;
  let running: Twins;
  let runs: number[];

  beforeAll(async () => {
    runs = [];
    @Controller()
    class SizesController {
      @Get('sized') @CacheView({ maxEntryBytes: limit }) exact() {
        runs.push(limit);
        return 'x'.repeat(limit);
      }

      @Get('over') @CacheView({ maxEntryBytes: limit }) over() {
        runs.push(limit + 1);
        return 'x'.repeat(limit + 1);
      }

      @Get('over-in-bytes') @CacheView({ maxEntryBytes: limit }) overInBytes() {
        runs.push(limit + 1);
        return 'é'.repeat(limit / 2) + 'x';
      }
    }
    running = await startTwins(platform, { controllers: [SizesController] });
  });

  afterAll(() => running.close());

  it('may be maxEntryBytes', async () => {
    const { verdicts, miss, hit } = await running.play('/sized');
    expect(verdicts).toEqual(REPLAYED);
    expect(wireBytes(hit)).toBe(wireBytes(miss));
  });

  it.each(['/over', '/over-in-bytes'])(
    'is not kept above maxEntryBytes, and sent untouched (%s)',
    async (target) => {
      runs = [];
      running.cached.events.length = 0;
      const { plain, miss, hit } = await running.play(target);
      expect(wireBytes(miss)).toBe(wireBytes(plain));
      expect(wireBytes(hit)).toBe(wireBytes(plain));
      expect(hit.cacheStatus).toBe('nestjs-caching; fwd=uri-miss; detail=too-large');
      expect(runs).toHaveLength(3);
      expect(running.cached.events.filter(({ type }) => type === 'skipped')).toHaveLength(2);
    },
  );
});
