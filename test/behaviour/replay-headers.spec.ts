import {
  BadRequestException,
  Controller,
  Get,
  Header,
  HttpCode,
  NotFoundException,
  Param,
  ParseIntPipe,
  Post,
  Res,
} from '@nestjs/common';
import { CacheView, custom } from 'nestjs-caching';
import type { Response } from 'express';
import type { FastifyReply } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { REPLAYED, startTwins, type Twins } from '../support/twins.js';
import { unframedBytes, wireBytes, wireRequest } from '../support/wire.js';

type AnyResponse = Response & FastifyReply;

/** Adds a member to a list field, as each platform has it. */
function append(response: AnyResponse, name: string, value: string): void {
  if (typeof response.append === 'function') response.append(name, value);
  else {
    const present = response.getHeader(name);
    void response.header(name, present === undefined ? value : `${String(present)}, ${value}`);
  }
}

describe.each(PLATFORMS)('what a handler says about its response on %s', (platform) => {
  let twins: Twins;
  let requests: number;

  beforeAll(async () => {
    requests = 0;
    @Controller()
    class HeadersController {
      @Get('header') @Header('X-Static', 'yes') @Header('Cache-Control', 'max-age=3') @CacheView() header() {
        return 'text';
      }

      @Get('code') @HttpCode(203) @CacheView() code() {
        return { code: 203 };
      }

      @Post('created') @CacheView({ key: custom(() => 'one') }) created() {
        return { created: true };
      }

      @Get('duplicate') @CacheView() duplicate(@Res({ passthrough: true }) response: AnyResponse) {
        response.header('X-Many', ['one', 'two, three', 'four'] as never);
        return 'text';
      }

      @Get('link') @CacheView() link(@Res({ passthrough: true }) response: AnyResponse) {
        append(response, 'Link', '</next?a,b>; rel="next, later"');
        return 'text';
      }

      @Get('vary') @CacheView({ vary: ['accept-language'] }) vary(
        @Res({ passthrough: true }) response: AnyResponse,
      ) {
        append(response, 'Vary', 'Accept-Language');
        return 'text';
      }

      @Get('replaced') @CacheView() replaced(@Res({ passthrough: true }) response: AnyResponse) {
        response.header('X-Theirs', 'ours');
        return 'text';
      }

      @Get('removed') @CacheView() removed(@Res({ passthrough: true }) response: AnyResponse) {
        const node = platform === 'express' ? response : response.raw;
        node.removeHeader('X-Theirs');
        return 'text';
      }

      @Get('hop') @CacheView() hop(@Res({ passthrough: true }) response: AnyResponse) {
        response.header('X-Hop', 'one');
        response.header('Keep-Alive', 'timeout=77');
        response.header('Connection', 'close, x-hop');
        return 'text';
      }
    }
    twins = await startTwins(platform, {
      controllers: [HeadersController],
      setUp: (app) => {
        app.use((_request: unknown, response: Response, next: () => void) => {
          requests += 1;
          response.setHeader('X-Theirs', 'middleware');
          response.setHeader('X-Own-Of-Request', String(requests));
          response.setHeader('Vary', 'Origin');
          response.setHeader('Link', '</style.css>; rel=preload');
          next();
        });
      },
    });
  });

  afterAll(() => twins.close());

  it.each(['header', 'code', 'duplicate', 'link', 'vary', 'replaced', 'removed'])(
    '%s: is the same on the hit',
    async (name) => {
      const { plain, miss, hit, verdicts } = await twins.play(`/${name}`, {
        headers: { 'Accept-Language': 'fi' },
      });
      expect(verdicts).toEqual(REPLAYED);
      expect(wireBytes(miss, ['x-own-of-request'])).toBe(wireBytes(plain, ['x-own-of-request']));
      expect(wireBytes(hit, ['x-own-of-request'])).toBe(wireBytes(miss, ['x-own-of-request']));
    },
  );

  it('leaves what middleware sets to each request', async () => {
    const { miss, hit } = await twins.play('/header?own');
    expect(miss.field('x-own-of-request')).toBe(String(requests - 1));
    expect(hit.field('x-own-of-request')).toBe(String(requests));
  });

  it('is kept with the status of a POST', async () => {
    const { plain, miss, hit, verdicts } = await twins.play('/created', {
      method: 'POST',
      headers: { 'Content-Length': '0' },
    });
    expect(verdicts).toEqual(REPLAYED);
    expect(hit.status).toBe(201);
    expect(wireBytes(miss, ['x-own-of-request'])).toBe(wireBytes(plain, ['x-own-of-request']));
    expect(wireBytes(hit, ['x-own-of-request'])).toBe(wireBytes(miss, ['x-own-of-request']));
  });

  it('is not kept where it is about the connection', async () => {
    const { hit, verdicts } = await twins.play('/hop');
    expect(verdicts).toEqual(REPLAYED);
    expect([hit.field('x-hop'), hit.field('keep-alive')]).toEqual([undefined, undefined]);
  });
});

describe.each(PLATFORMS)('an error that a filter or a pipe made on %s', (platform) => {
  let runs: number;
  let twins: Twins;
  let unkept: RunningApplication;

  beforeAll(async () => {
    runs = 0;
    @Controller()
    class ErrorsController {
      @Get('missing') @CacheView({ statuses: { 404: '5s' } }) missing() {
        runs += 1;
        throw new NotFoundException('no such book');
      }

      @Get('number/:id') @CacheView({ statuses: [400] }) number(@Param('id', ParseIntPipe) id: number) {
        return { id };
      }

      @Get('unkept') @CacheView() unkept() {
        runs += 1;
        throw new BadRequestException('never kept');
      }

      @Get('broken') @CacheView() broken() {
        runs += 1;
        throw new Error('secret');
      }
    }
    twins = await startTwins(platform, { controllers: [ErrorsController] });
    unkept = twins.cached;
  });

  afterAll(() => twins.close());

  it.each(['/missing', '/number/none'])('is sent again where its status is kept (%s)', async (target) => {
    const { plain, miss, hit, verdicts } = await twins.play(target);
    expect(verdicts).toEqual(REPLAYED);
    expect(wireBytes(miss)).toBe(wireBytes(plain));
    expect(unframedBytes(hit)).toBe(unframedBytes(miss));
    expect(wireBytes(hit)).toBe(wireBytes(plain));
  });

  it('lives as long as its status says', async () => {
    await wireRequest(unkept.port, '/missing?life');
    unkept.clock.advance(4_999);
    expect((await wireRequest(unkept.port, '/missing?life')).verdict).toBe('HIT');
    unkept.clock.advance(1);
    expect((await wireRequest(unkept.port, '/missing?life')).verdict).toBe('MISS');
  });

  it.each(['/unkept', '/broken'])('is nobody’s memory by default (%s)', async (target) => {
    runs = 0;
    const { plain, miss, hit } = await twins.play(target);
    expect(wireBytes(miss)).toBe(wireBytes(plain));
    expect(wireBytes(hit)).toBe(wireBytes(plain));
    expect(hit.cacheStatus).toBe('nestjs-caching; fwd=uri-miss; detail=status');
    expect(runs).toBe(3);
  });
});

describe.each(PLATFORMS)('a handler that sends what Node refuses on %s', (platform) => {
  it('gets the error that it gets without the cache', async () => {
    const seen: unknown[] = [];
    @Controller()
    class WrongController {
      @Get() @CacheView() wrong(@Res() response: AnyResponse) {
        const node = platform === 'express' ? response : response.raw;
        try {
          node.end(5 as never);
        } catch (error) {
          seen.push((error as Error).message);
          node.end('put right');
        }
      }
    }
    const options = { controllers: [WrongController] };
    const plain = await startApplication(platform, { ...options, caching: false });
    const cached = await startApplication(platform, options);
    const without = await wireRequest(plain.port, '/');
    const withCache = await wireRequest(cached.port, '/');
    await Promise.all([plain.close(), cached.close()]);
    expect(seen).toHaveLength(2);
    expect(seen[1]).toBe(seen[0]);
    expect(wireBytes(withCache)).toBe(wireBytes(without));
  });
});
