import { connect, type Server } from 'node:net';
import { Readable } from 'node:stream';
import { Controller, Get, Res, StreamableFile } from '@nestjs/common';
import { CacheView } from 'nestjs-caching';
import type { Response } from 'express';
import type { FastifyReply } from 'fastify';
import { defer, from, map } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { HandlerGate, until } from '../support/handler-gate.js';
import { openRequest, wireRequest } from '../support/wire.js';

type AnyResponse = Response & FastifyReply;
const PART = Buffer.alloc(50_000, 'p');

describe.each(PLATFORMS)('a client that leaves on %s', (platform) => {
  let runs: number;
  let gates: HandlerGate[];
  let running: RunningApplication;

  const atRun = (run: number): HandlerGate => (gates[run] ??= new HandlerGate());
  const begin = (): HandlerGate => atRun(++runs);

  beforeEach(async () => {
    runs = 0;
    gates = [];
    @Controller()
    class SlowController {
      @Get('promise') @CacheView() async promise() {
        await begin().pass();
        return { run: runs };
      }

      @Get('observable') @CacheView() observable() {
        return defer(() => from(begin().pass())).pipe(map(() => ({ run: runs })));
      }

      @Get('res') @CacheView() async res(@Res() response: AnyResponse) {
        await begin().pass();
        void response.send(`run ${runs}`);
      }

      @Get('stream') @CacheView() stream() {
        return new StreamableFile(
          Readable.from(
            (async function* () {
              yield PART;
              await begin().pass();
              yield PART;
            })(),
          ),
        );
      }

      @Get('large') @CacheView({ maxEntryBytes: PART.length }) large() {
        return new StreamableFile(
          Readable.from(
            (async function* () {
              const gate = begin();
              yield PART;
              yield PART;
              await gate.pass();
              yield PART;
            })(),
          ),
        );
      }
    }
    running = await startApplication(platform, { controllers: [SlowController] });
  });

  afterEach(async () => {
    for (const gate of gates.filter(Boolean)) gate.open();
    await running.close();
  });

  const missed = (count: number) =>
    until(() => running.events.filter(({ type }) => type === 'miss').length === count, `${count} missed`);
  const count = (wanted: string) => running.events.filter(({ type }) => type === wanted).length;
  /** The server notices a little after the client has left. */
  const untilConnections = async (wanted: number): Promise<void> => {
    let open: number | undefined;
    const server = running.app.getHttpServer() as Server;
    await until(() => {
      server.getConnections((_error, count) => {
        open = count;
      });
      return open === wanted;
    }, `the server has ${wanted} connections`);
  };

  it('while a promise runs: it finishes, is kept, and is given to those who wait', async () => {
    const leader = openRequest(running.port, '/promise');
    await atRun(1).reached;
    const waiter = wireRequest(running.port, '/promise');
    await missed(2);
    await leader.leave();
    await untilConnections(1);
    atRun(1).open();
    const served = await waiter;
    expect([served.text, served.cacheStatus]).toEqual([
      '{"run":1}',
      'nestjs-caching; fwd=uri-miss; collapsed',
    ]);
    const hit = await wireRequest(running.port, '/promise');
    expect([hit.verdict, hit.text]).toEqual(['HIT', '{"run":1}']);
  });

  it.each(['/res', '/stream'])(
    'while %s waits for its turn behind another reply on the connection: one of those who wait runs it instead',
    async (target) => {
      const socket = connect(running.port, '127.0.0.1');
      socket.on('error', () => undefined);
      const line = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
      socket.write(line('/promise') + line(target));
      await atRun(2).reached;
      const waiter = wireRequest(running.port, target);
      await missed(3);
      socket.resetAndDestroy();
      await atRun(3).reached;
      atRun(3).open();
      const served = await waiter;
      expect([served.status, served.complete]).toEqual([200, true]);
    },
  );

  it.each(['/observable', '/res'])('while %s runs: one of those who wait runs it instead', async (target) => {
    const leader = openRequest(running.port, target);
    await atRun(1).reached;
    const waiters = [wireRequest(running.port, target), wireRequest(running.port, target)];
    await missed(3);
    await leader.leave();
    await atRun(2).reached;
    atRun(2).open();
    const served = await Promise.all(waiters);
    expect(served.map(({ status, complete }) => [status, complete])).toEqual([
      [200, true],
      [200, true],
    ]);
    expect(new Set(served.map(({ text }) => text)).size).toBe(1);
    expect(runs).toBe(2);
    expect(count('coalesced')).toBe(1);
    expect(running.events).toContainEqual(
      expect.objectContaining({ type: 'skipped', reason: 'aborted' }) as never,
    );
    expect((await wireRequest(running.port, target)).verdict).toBe('HIT');
  });

  it('while the body is sent: nothing partial is kept, and one of those who wait runs it instead', async () => {
    const leader = openRequest(running.port, '/stream');
    await atRun(1).reached;
    const waiters = [wireRequest(running.port, '/stream'), wireRequest(running.port, '/stream')];
    await missed(3);
    await leader.leave();
    await atRun(2).reached;
    for (const run of [1, 2]) atRun(run).open();
    for (const served of await Promise.all(waiters)) {
      expect([served.status, served.body.length, served.complete]).toEqual([200, 100_000, true]);
    }
    expect(runs).toBe(2);
    const hit = await wireRequest(running.port, '/stream');
    expect([hit.verdict, hit.body.length]).toEqual(['HIT', 100_000]);
  });

  it('while waiting: the fill goes on, and the others who wait are served', async () => {
    const leader = openRequest(running.port, '/promise');
    await atRun(1).reached;
    const leaving = openRequest(running.port, '/promise');
    const staying = wireRequest(running.port, '/promise');
    await missed(3);
    await leaving.leave();
    await untilConnections(2);
    atRun(1).open();
    expect((await leader.response).text).toBe('{"run":1}');
    expect((await staying).text).toBe('{"run":1}');
    expect((await wireRequest(running.port, '/promise')).verdict).toBe('HIT');
    expect(runs).toBe(1);
    expect(running.logger.errors).toEqual([]);
  });

  it('while waiting for a fill that is aborted: it is not the one that runs the handler next', async () => {
    const leader = openRequest(running.port, '/observable');
    await atRun(1).reached;
    const leaving = openRequest(running.port, '/observable');
    await missed(2);
    const staying = wireRequest(running.port, '/observable');
    await missed(3);
    await leaving.leave();
    await untilConnections(2);
    await leader.leave();
    await atRun(2).reached;
    atRun(2).open();
    expect((await staying).text).toBe('{"run":2}');
    expect(runs).toBe(2);
  });

  it('that waits for a body over maxEntryBytes is let go as soon as that is known', async () => {
    const leader = openRequest(running.port, '/large');
    await atRun(1).reached;
    const other = openRequest(running.port, '/large');
    await atRun(2).reached;
    for (const run of [1, 2]) atRun(run).open();
    expect((await leader.response).body).toHaveLength(150_000);
    expect((await other.response).body).toHaveLength(150_000);
    expect(count('stored')).toBe(0);
    expect(running.events).toContainEqual(
      expect.objectContaining({ type: 'skipped', reason: 'too-large' }) as never,
    );
  });
});
