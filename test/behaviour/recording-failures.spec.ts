import { pipeline, Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { Controller, Get, Res, StreamableFile } from '@nestjs/common';
import { CacheView, type CacheViewOptions } from 'nestjs-caching';
import type { Response } from 'express';
import type { FastifyReply } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { HandlerGate, until } from '../support/handler-gate.js';
import { openRequest, wireRequest } from '../support/wire.js';

type AnyResponse = Response & FastifyReply;
const PART = Buffer.alloc(1_000, 'p');

describe.each(PLATFORMS)('a response that fails half-way on %s', (platform) => {
  let runs: number;
  let gate: HandlerGate;
  let running: RunningApplication;

  /** Its first run fails behind a part of the body; later ones are whole. */
  async function* failingOnce() {
    const isFirst = ++runs === 1;
    yield PART;
    await gate.pass();
    if (isFirst) throw new Error('the source broke');
    yield PART;
  }

  beforeEach(async () => {
    runs = 0;
    gate = new HandlerGate();
    @Controller()
    class StreamsController {
      @Get('file') @CacheView() file() {
        return new StreamableFile(Readable.from(failingOnce()));
      }

      @Get('node-stream') @CacheView() nodeStream() {
        return Readable.from(failingOnce());
      }

      @Get('generator') @CacheView() generator() {
        return failingOnce();
      }

      @Get('web-stream') @CacheView() webStream() {
        const source = failingOnce();
        return new ReadableStream({
          async pull(controller) {
            const { value, done } = await source.next();
            if (done) controller.close();
            else controller.enqueue(new Uint8Array(value as Buffer));
          },
        });
      }

      @Get('piped') @CacheView() piped(@Res() response: AnyResponse) {
        const source = Readable.from(failingOnce());
        if (platform === 'fastify') void response.send(source);
        else pipeline(source, response, () => undefined);
      }

      @Get('said-complete') @CacheView() saidComplete() {
        return new StreamableFile(Readable.from(failingOnce())).setErrorHandler((_error, response) => {
          response.end();
        });
      }

      @Get('res') @CacheView() async res(@Res() response: AnyResponse) {
        const node = platform === 'express' ? response : response.raw;
        if (platform === 'fastify') response.hijack();
        try {
          for await (const part of failingOnce()) node.write(part);
          node.end();
        } catch {
          node.destroy();
        }
      }
    }
    running = await startApplication(platform, { controllers: [StreamsController] });
  });

  afterEach(async () => {
    gate.open();
    await running.close();
  });

  // Where the stream is known to have failed, those who wait don't wait for each other; where the connection just
  // closed, the next one leads.
  const piped = platform === 'express' ? 2 : 3;
  it.each([
    ['file', 3],
    ['node-stream', 3],
    ['generator', 3],
    ['web-stream', 3],
    ['said-complete', 3],
    ['piped', piped],
    ['res', 2],
  ])('%s: is not kept, and who waited gets a whole one, by %i runs in all', async (name, expectedRuns) => {
    const leader = wireRequest(running.port, `/${name}`);
    await gate.reached;
    const waiters = [wireRequest(running.port, `/${name}`), wireRequest(running.port, `/${name}`)];
    await until(() => running.events.filter(({ type }) => type === 'miss').length === 3, 'all missed');
    gate.open();
    await leader;
    for (const waiter of await Promise.all(waiters)) {
      expect([waiter.status, waiter.body.length, waiter.complete]).toEqual([200, 2_000, true]);
    }
    expect(running.events).toContainEqual(
      expect.objectContaining({ type: 'skipped', reason: 'aborted' }) as never,
    );
    expect(runs).toBe(expectedRuns);
    const next = await wireRequest(running.port, `/${name}`);
    expect(next.body).toHaveLength(2_000);
  });

  it.each(['/file', '/said-complete'])('is not kept where nobody waits either (%s)', async (target) => {
    gate.open();
    await wireRequest(running.port, target);
    expect(running.events.some(({ type }) => type === 'stored')).toBe(false);
    const next = await wireRequest(running.port, target);
    expect([next.verdict, next.body.length]).toEqual(['MISS', 2_000]);
    expect((await wireRequest(running.port, target)).verdict).toBe('HIT');
  });
});

describe.each(PLATFORMS)('a length that does not match on %s', (platform) => {
  let runs: number;
  let running: RunningApplication;

  beforeEach(async () => {
    runs = 0;
    @Controller()
    class LengthsController {
      @Get('short-file') @CacheView() shortFile() {
        runs += 1;
        return new StreamableFile(Readable.from([PART]), { length: PART.length + 1 });
      }

      @Get('short') @CacheView() short(@Res() response: AnyResponse) {
        runs += 1;
        const node = platform === 'express' ? response : response.raw;
        node.setHeader('Content-Length', '10');
        node.end('short');
      }

      @Get('short-parts') @CacheView() shortParts(@Res() response: AnyResponse) {
        runs += 1;
        const node = platform === 'express' ? response : response.raw;
        node.writeHead(200, { 'Content-Length': 10 });
        node.write('sh');
        node.end('ort');
      }
    }
    running = await startApplication(platform, { controllers: [LengthsController] });
  });

  afterEach(() => running.close());

  it.each(['/short-file', '/short', '/short-parts'])('is not kept (%s)', async (target) => {
    const first = openRequest(running.port, target);
    const skip = { type: 'skipped', reason: 'length-mismatch' };
    await until(() => running.events.some(({ type }) => type === 'skipped'), 'it was skipped');
    expect(running.events).toContainEqual(expect.objectContaining(skip) as never);
    await first.leave();
    const second = openRequest(running.port, target);
    await until(() => running.events.filter(({ type }) => type === 'skipped').length === 2, 'it was again');
    await second.leave();
    expect(running.events.some(({ type }) => type === 'hit')).toBe(false);
    expect(runs).toBe(2);
  });

  it('shows in Cache-Status where the whole body is there before the head', async () => {
    const request = openRequest(running.port, '/short');
    await until(() => running.events.some(({ type }) => type === 'skipped'), 'it was skipped');
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
    request.socket.destroy();
    expect((await request.response).cacheStatus).toBe('nestjs-caching; fwd=uri-miss; detail=length-mismatch');
  });
});

describe.each(PLATFORMS)('a handler that never ends on %s', (platform) => {
  let runs: number;
  let gate: HandlerGate;
  let running: RunningApplication;
  const options: CacheViewOptions = {};

  beforeEach(async () => {
    runs = 0;
    gate = new HandlerGate();
    const waitAtFirst = async (): Promise<void> => {
      if (++runs === 1) await gate.pass();
    };
    @Controller()
    class SlowController {
      @Get('promise') @CacheView(options) async promise() {
        await waitAtFirst();
        return { run: runs };
      }

      @Get('stream') @CacheView(options) stream() {
        return new StreamableFile(
          Readable.from(
            (async function* () {
              yield PART;
              await waitAtFirst();
              yield PART;
            })(),
          ),
        );
      }
    }
    running = await startApplication(platform, {
      controllers: [SlowController],
      caching: { coalesceTimeout: '10s' },
    });
  });

  afterEach(async () => {
    gate.open();
    await running.close();
  });

  it.each(['/promise', '/stream'])(
    'keeps those who wait until the deadline and no longer (%s)',
    async (target) => {
      const leader = openRequest(running.port, target);
      await gate.reached;
      const waiters = [wireRequest(running.port, target), wireRequest(running.port, target)];
      await until(() => running.events.filter(({ type }) => type === 'miss').length === 3, 'all missed');
      running.clock.advance(9_999);
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      expect(runs).toBe(1);
      running.clock.advance(1);
      const served = await Promise.all(waiters);
      expect(served.map(({ status, verdict }) => [status, verdict])).toEqual([
        [200, 'MISS'],
        [200, 'MISS'],
      ]);
      expect(served.every(({ complete, body }) => complete && body.length > 0)).toBe(true);
      expect(runs).toBe(3);
      await leader.leave();
    },
  );
});
