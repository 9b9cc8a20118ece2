import { connect } from 'node:net';
import type { ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import { Controller, Get, Header, Res, StreamableFile } from '@nestjs/common';
import { CacheView } from 'nestjs-caching';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { eventually, Gate } from '../support/gate.js';

/** A request whose response need not end. */
interface OpenRequest {
  readonly text: () => string;
  readonly leave: () => void;
}

function openRequest(port: number, target: string): OpenRequest {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => (text += chunk.toString()));
  socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  return { text: () => text, leave: () => socket.destroy() };
}

describe.each(PLATFORMS)('a response that has no end and can be of its own client only on %s', (platform) => {
  let running: RunningApplication;
  let gate: Gate;
  let runs: number;
  let clients: OpenRequest[];

  beforeEach(async () => {
    runs = 0;
    clients = [];
    gate = new Gate();
    const node = (response: ServerResponse & { raw?: ServerResponse }): ServerResponse =>
      response.raw ?? response;
    const begin = async (response: ServerResponse, fields: Record<string, string>, part?: string) => {
      const run = ++runs;
      await gate.pass();
      response.writeHead(200, { ...fields, 'X-Run': run });
      if (part === undefined) response.flushHeaders();
      else response.write(part);
    };
    @Controller()
    class StreamsController {
      @Get('events') @CacheView() events(@Res() response: ServerResponse) {
        return begin(node(response), { 'Content-Type': 'text/event-stream; charset=utf-8' }, 'data: 1\n\n');
      }

      @Get('events-to-come') @CacheView() eventsToCome(@Res() response: ServerResponse) {
        return begin(node(response), { 'Content-Type': 'text/event-stream' });
      }

      @Get('no-store') @CacheView() noStore(@Res() response: ServerResponse) {
        return begin(node(response), { 'Cache-Control': 'no-store' }, 'part');
      }

      @Get('cookie') @CacheView() async cookie(@Res() response: ServerResponse) {
        const run = ++runs;
        await gate.pass();
        node(response).setHeader('X-Run', run);
        node(response).setHeader('Set-Cookie', 'a=b');
        node(response).write('part');
      }

      @Get('stream') @CacheView() @Header('Cache-Control', 'private') async stream() {
        const run = ++runs;
        await gate.pass();
        const body = new PassThrough();
        body.write(`X-Run: ${run}`);
        return new StreamableFile(body);
      }
    }
    running = await startApplication(platform, { controllers: [StreamsController] });
  });

  afterEach(async () => {
    for (const { leave } of clients) leave();
    await running.close();
  });

  const open = (target: string): OpenRequest => {
    const client = openRequest(running.port, target);
    clients.push(client);
    return client;
  };

  it.each(['/events', '/events-to-come', '/no-store', '/cookie', '/stream'])(
    'is waited for by nobody once its head says so: %s',
    async (target) => {
      open(target);
      open(target);
      const missed = () => running.events.filter(({ type }) => type === 'miss').length;
      await eventually(() => missed() === 2, 'both have missed');
      gate.open();
      const begun = () => clients.map(({ text }) => /X-Run: (\d)/i.exec(text())?.[1]);
      await eventually(() => !begun().includes(undefined), 'those that waited are answered');
      open(target);
      await eventually(() => begun().length === 3 && !begun().includes(undefined), 'so is who comes later');
      expect(new Set(begun())).toEqual(new Set(['1', '2', '3']));
      expect(runs).toBe(3);
    },
  );

  it('is told as the reason that it has no end', async () => {
    gate.open();
    open('/events');
    const skipped = () => running.events.flatMap((event) => (event.type === 'skipped' ? event.reason : []));
    await eventually(() => skipped().length > 0, 'it is told');
    expect(skipped()).toEqual(['event-stream']);
  });
});
