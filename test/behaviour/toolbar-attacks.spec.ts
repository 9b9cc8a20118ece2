import { PassThrough } from 'node:stream';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { Controller, Get, Header, Param, Query, Res, StreamableFile } from '@nestjs/common';
import { CacheView, path } from 'nestjs-caching';
import { afterEach, describe, expect, it } from 'vitest';
import { PLATFORMS } from '../support/application.js';
import { type DashboardApp, startDashboard, ThingsController } from '../support/dashboard/dashboard-app.js';
import { eventually } from '../support/gate.js';

const PAGE = '<!doctype html><title>A page</title>';
const HTML = 'text/html; charset=utf-8';
const SCRIPT = 'src="/_cache/assets/toolbar.js"';

type Reply = { raw?: ServerResponse; hijack?(): void };

/** Node's response, also on Fastify. */
function nodeOf(reply: Reply): ServerResponse {
  if (reply.raw === undefined) return reply as ServerResponse;
  reply.hijack?.();
  return reply.raw;
}

const streams: PassThrough[] = [];

@Controller('pages')
class PagesController {
  @Get('twice') @CacheView() twice(@Res() reply: Reply) {
    const response = nodeOf(reply);
    response.setHeader('Content-Type', HTML);
    response.end(PAGE);
    response.end();
  }

  @Get('pieces') @CacheView() pieces(@Res() reply: Reply) {
    const response = nodeOf(reply);
    response.setHeader('Content-Type', HTML);
    for (const piece of PAGE.match(/.{1,7}/g) ?? []) response.write(piece);
    response.end();
  }

  @Get('endless') endless() {
    const stream = new PassThrough();
    streams.push(stream);
    stream.write(PAGE);
    return new StreamableFile(stream, { type: HTML });
  }

  @Get('policy')
  @Header('Content-Type', HTML)
  policy(@Query('is') is: string, @Res({ passthrough: true }) reply: { header(n: string, v: string): void }) {
    reply.header('Content-Security-Policy', is);
    return PAGE;
  }

  @Get('mine/:name')
  @Header('Content-Type', HTML)
  @CacheView({ key: path(), scope: ({ headers }) => headers['x-user'] as string | undefined })
  mine(@Param('name') name: string) {
    return `${PAGE}<p>${name}</p>`;
  }
}

describe.each(PLATFORMS)('attacks on the toolbar on %s', (platform) => {
  let running: DashboardApp;
  const start = async (): Promise<void> => {
    running = await startDashboard(
      platform,
      { toolbar: true },
      { controllers: [PagesController, ThingsController] },
    );
  };

  afterEach(() => running.close());

  it('a handler that ends its reply twice is forgiven, as it is without the toolbar', async () => {
    await start();
    for (const verdict of ['MISS', 'HIT']) {
      const response = await running.request('/pages/twice');
      expect([response.status, response.verdict]).toEqual([200, verdict]);
      expect(response.text.split(SCRIPT).length).toBe(platform === 'express' ? 2 : 1);
    }
  });

  it('nothing of it is stored of a page that is written in pieces', async () => {
    await start();
    for (let sent = 0; sent < 3; sent++) {
      const { text } = await running.request('/pages/pieces');
      expect(text.split(SCRIPT).length).toBe(platform === 'express' ? 2 : 1);
    }
    const { text } = await running.change('explain', { url: '/pages/pieces' });
    const { entry } = JSON.parse(text) as { entry: { bodyBytes: number; headers: unknown } };
    expect(entry.bodyBytes).toBe(PAGE.length);
    expect(JSON.stringify(entry.headers)).not.toMatch(/server-timing|cache-view/i);
  });

  it('a client that leaves ends the stream of its page', async () => {
    await start();
    const socket = connect(running.port, '127.0.0.1');
    socket.write('GET /pages/endless HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await new Promise((resolve) => socket.once('data', resolve));
    socket.destroy();
    const stream = streams.pop();
    await eventually(() => stream?.destroyed === true, 'the stream is ended');
    expect(stream?.destroyed).toBe(true);
  });

  it('what one is shown of a page is nothing of what another is', async () => {
    await start();
    const ask = (user: string) => running.request('/pages/mine/x', { headers: { 'x-user': user } });
    const ids = [await ask('ann'), await ask('ben'), await ask('ann')].map(({ verdict, headers }) => [
      verdict,
      /cache-view;desc="([^"]+)"/.exec(String(headers['server-timing']))?.[1] as string,
    ]);
    expect(ids.map(([verdict]) => verdict)).toEqual(['MISS', 'MISS', 'HIT']);
    expect(new Set(ids.map(([, id]) => id)).size).toBe(3);
    // Nor can whoever has an id ask for what it stands for.
    const [[, id] = []] = ids;
    const elsewhere = { 'sec-fetch-site': 'cross-site' };
    expect((await running.ask(`/api/view?id=${id}`, elsewhere)).status).toBe(403);
    expect((await running.ask(`/api/view?id=${id}`, { host: 'rebound.example' })).status).toBe(403);
  });

  it.each([
    ["script-src 'nonce-own='", 'own='],
    ["default-src 'nonce-other'; script-src 'nonce-own='", 'own='],
    ["default-src 'nonce-other'; script-src 'self'", undefined],
    ["script-src-attr 'nonce-other'; default-src 'self' 'nonce-own='", 'own='],
    ["script-src 'nonce-other'; script-src-elem 'nonce-own='", 'own='],
    [`script-src 'nonce-"onload="alert(1)'`, undefined],
    ["script-src 'nonce-'", undefined],
    ["style-src 'nonce-other'", undefined],
  ])('takes the nonce that rules scripts, and nothing that is none: %s', async (policy, nonce) => {
    await start();
    const { text } = await running.request(`/pages/policy?is=${encodeURIComponent(policy)}`);
    const added = nonce === undefined ? '' : ` nonce="${nonce}"`;
    expect(text).toBe(`${PAGE}\n<script type="module" ${SCRIPT}${added}></script>\n`);
  });
});
