import { request as httpRequest } from 'node:http';
import { Controller, Get, Post, Res, ServiceUnavailableException } from '@nestjs/common';
import { CacheView } from 'nestjs-caching';
import type { Response } from 'express';
import type { FastifyReply } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';

type AnyResponse = Response & FastifyReply;

/** Statuses of what a client is told before the response, and the response's `Cache-Status`. */
function askWithInterim(port: number): Promise<{ interim: string[]; verdict: unknown; text: string }> {
  return new Promise((resolve, reject) => {
    const interim: string[] = [];
    const asked = httpRequest({ host: '127.0.0.1', port, path: '/hinted', agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve({ interim, verdict: response.headers['x-cache'], text }));
    });
    asked.on('information', ({ statusCode, headers }) =>
      interim.push(`${String(statusCode)} ${String(headers.link ?? '')}`.trim()),
    );
    asked.on('error', reject).end();
  });
}

describe.each(PLATFORMS)('beside what RFC 9111 asks for, on %s,', (platform) => {
  let runs: number;
  let isFailing: boolean;
  let running: RunningApplication;

  beforeEach(async () => {
    runs = 0;
    isFailing = false;
    @Controller()
    class OriginController {
      @Get('origin')
      @CacheView({ ttl: '10s' })
      origin(@Res({ passthrough: true }) response: AnyResponse) {
        runs += 1;
        if (isFailing) throw new ServiceUnavailableException();
        response.header('X-Run', String(runs));
        return `run ${runs}`;
      }

      @Post('origin') write(@Res({ passthrough: true }) response: AnyResponse) {
        runs += 1;
        response.header('Content-Location', '/origin').header('Cache-Control', 'max-age=3600');
        return `run ${runs}`;
      }

      @Get('hinted')
      @CacheView()
      hinted(@Res({ passthrough: true }) response: AnyResponse) {
        const node = platform === 'express' ? (response as Response) : (response as FastifyReply).raw;
        node.writeProcessing();
        node.writeEarlyHints({ link: '</site.css>; rel=preload; as=style' });
        return `run ${++runs}`;
      }
    }
    running = await startApplication(platform, { controllers: [OriginController] });
  });

  afterEach(() => running.close());

  it('interim responses pass, and the response behind them is stored', async () => {
    const hints = ['102', '103 </site.css>; rel=preload; as=style'];
    const { port } = running;
    expect(await askWithInterim(port)).toEqual({ interim: hints, verdict: 'MISS', text: 'run 1' });
    expect(await askWithInterim(port)).toEqual({ interim: [], verdict: 'HIT', text: 'run 1' });
  });

  it('a HEAD that reaches the handler changes nothing of a stored GET', async () => {
    await running.request('/origin');
    running.clock.advance(10_000);
    const head = await running.request('/origin', { method: 'HEAD' });
    expect([head.headers['x-run'], head.verdict]).toEqual(['2', 'BYPASS']);
    const next = await running.request('/origin');
    expect([next.text, next.verdict]).toEqual(['run 3', 'MISS']);
  });

  it('a POST answers no GET of what its Content-Location names', async () => {
    await running.request('/origin', { method: 'POST' });
    expect((await running.request('/origin')).text).toBe('run 2');
  });

  it('nothing stale answers in place of a failure unless somebody has allowed it', async () => {
    await running.request('/origin');
    running.clock.advance(10_000);
    isFailing = true;
    expect((await running.request('/origin')).status).toBe(503);
  });
});
