import { Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { Controller, Get, Header, StreamableFile } from '@nestjs/common';
import { CacheView } from 'nestjs-caching';
import { from, of } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PLATFORMS } from '../support/application.js';
import { REPLAYED, startTwins, type Twins } from '../support/twins.js';
import { unframedBytes, wireBytes } from '../support/wire.js';

const PARTS = [Buffer.from([0, 1, 2, 255]), Buffer.from('ünïcödé'), Buffer.alloc(100_000, 7)];

async function* generate() {
  for (const part of PARTS) {
    await Promise.resolve();
    yield part;
  }
}

function webStream(): ReadableStream {
  return new ReadableStream({
    start(controller) {
      for (const part of PARTS) controller.enqueue(new Uint8Array(part));
      controller.close();
    },
  });
}

describe.each(PLATFORMS)('a body that is sent in parts on %s', (platform) => {
  let twins: Twins;

  beforeAll(async () => {
    @Controller()
    class StreamsController {
      @Get('file') @CacheView() file() {
        return new StreamableFile(Buffer.concat(PARTS));
      }

      @Get('described-file') @CacheView() describedFile() {
        return new StreamableFile(Readable.from(PARTS), {
          type: 'image/x-test',
          disposition: 'attachment; filename="a,b.bin"',
          length: Buffer.concat(PARTS).length,
        });
      }

      @Get('file-of-stream') @CacheView() fileOfStream() {
        return new StreamableFile(Readable.from(PARTS));
      }

      @Get('empty-file') @CacheView() emptyFile() {
        return new StreamableFile(Readable.from([]));
      }

      @Get('reused-memory') @CacheView() reusedMemory() {
        const memory = Buffer.alloc(3);
        return new StreamableFile(
          Readable.from(
            (async function* () {
              for (const value of [1, 2, 3]) {
                await Promise.resolve();
                yield Buffer.from(memory.fill(value));
              }
            })(),
          ),
        );
      }

      @Get('node-stream') @Header('Content-Type', 'application/x-node') @CacheView() nodeStream() {
        return Readable.from(PARTS);
      }

      @Get('web-stream') @Header('Content-Type', 'application/x-web') @CacheView() web() {
        return webStream();
      }

      @Get('generator') @CacheView() generator() {
        return generate();
      }

      @Get('text-generator') @CacheView() async *textGenerator() {
        yield 'one ';
        await Promise.resolve();
        yield 'zwölf';
      }

      @Get('web-response') @CacheView({ statuses: [203] }) webResponse() {
        return new Response(webStream(), {
          status: 203,
          headers: { 'content-type': 'text/x-web', 'x-own': 'kept', link: '<a>; rel=next, <b>; rel=prev' },
        });
      }

      @Get('web-response-of-text') @CacheView() webResponseOfText() {
        return new Response('täxt');
      }

      @Get('web-response-without-body') @CacheView({ statuses: [204] }) webResponseWithoutBody() {
        return new Response(null, { status: 204, headers: { 'x-own': 'kept' } });
      }

      @Get('observable') @CacheView() observable() {
        return of({ emitted: 1 });
      }

      @Get('observable-of-many') @CacheView() observableOfMany() {
        return from([{ emitted: 1 }, { emitted: 2 }]);
      }
    }
    twins = await startTwins(platform, { controllers: [StreamsController] });
  });

  afterAll(() => twins.close());

  it.each([
    'file',
    'described-file',
    'file-of-stream',
    'empty-file',
    'reused-memory',
    'node-stream',
    'web-stream',
    'generator',
    'text-generator',
    'web-response',
    'web-response-of-text',
    'web-response-without-body',
    'observable',
    'observable-of-many',
  ])('%s: is sent on as without the cache, and again from it', async (name) => {
    const { plain, miss, hit, verdicts } = await twins.play(`/${name}`);
    expect(wireBytes(miss)).toBe(wireBytes(plain));
    expect(verdicts).toEqual(REPLAYED);
    expect(unframedBytes(hit)).toBe(unframedBytes(miss));
    expect([miss.complete, hit.complete]).toEqual([true, true]);
  });

  it('says its length on the hit, where the miss was sent in chunks', async () => {
    const { hit, miss } = await twins.play('/file-of-stream?length');
    expect(miss.field('transfer-encoding')).toBe('chunked');
    expect(hit.field('transfer-encoding')).toBeUndefined();
    expect(hit.field('content-length')).toBe(String(Buffer.concat(PARTS).length));
  });

  it('holds the bytes that were produced', async () => {
    const { hit } = await twins.play('/generator?bytes');
    expect(hit.body.equals(Buffer.concat(PARTS))).toBe(true);
  });
});
