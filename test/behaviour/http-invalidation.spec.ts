import {
  Controller,
  Delete,
  Get,
  HttpException,
  Lock,
  Move,
  Param,
  Patch,
  Post,
  Propfind,
  Proppatch,
  Put,
  Redirect,
  Res,
  Search,
} from '@nestjs/common';
import { CacheEvict, CacheView, type CachingModuleOptions, jsonBody } from 'nestjs-caching';
import type { Response } from 'express';
import type { FastifyReply } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { verdictsOf } from '../support/verdicts.js';

type AnyResponse = Response & FastifyReply;

describe.each(PLATFORMS)('a write on %s', (platform) => {
  let running: RunningApplication;
  let location: string;
  let status: number;

  const start = async (caching: CachingModuleOptions = {}) => {
    location = '/nowhere';
    status = 200;
    @Controller('books')
    class BooksController {
      @Get() @CacheView() list() {
        return [];
      }

      @Get(':name') @CacheView() one() {
        return {};
      }

      @Post() add() {
        if (status >= 400) throw new HttpException('no', status);
        return {};
      }

      @Put(':name') put() {
        return {};
      }

      @Patch(':name') patch() {
        return {};
      }

      @Delete(':name') remove() {
        return {};
      }

      @Lock(':name') lock() {
        return {};
      }

      @Move(':name') move() {
        return {};
      }

      @Proppatch(':name') change() {
        return {};
      }

      @Propfind(':name') describe() {
        return {};
      }

      @Search(':name') find() {
        return {};
      }

      @Post('import/located') located(@Res({ passthrough: true }) response: AnyResponse) {
        response.header('Location', location);
      }

      @Post('import/content') content(@Res({ passthrough: true }) response: AnyResponse) {
        response.header('Content-Location', location);
      }

      @Post('import/raw') raw(@Res() response: AnyResponse) {
        response.status(201).header('Location', location).send('done');
      }

      @Post('import/redirected') @Redirect() redirected() {
        return { url: location, statusCode: 303 };
      }

      @Post('search/:name') @CacheView({ key: jsonBody() }) search(@Param('name') name: string) {
        return { name };
      }

      @Get('search/:name') @CacheView() searched() {
        return {};
      }

      @Post('decided/:name') @CacheEvict({ tags: ['x'], when: () => false }) decided() {
        return {};
      }

      @Get('decided/:name') @CacheView() seen() {
        return {};
      }

      @Put('off/:name') @CacheEvict({ autoEvict: false }) off() {
        return {};
      }

      @Get('off/:name') @CacheView() isOff() {
        return {};
      }

      @Put('both/:name') @CacheEvict('books') both() {
        return {};
      }

      @Get('both/:name') @CacheView({ tags: ['books'] }) isBoth() {
        return {};
      }
    }

    @Controller('logs')
    class LogsController {
      @Post() add() {
        return {};
      }
    }
    running = await startApplication(platform, {
      controllers: [LogsController, BooksController],
      caching,
      setUp: (app) => void app.setGlobalPrefix('api'),
    });
  };

  afterEach(() => running.close());

  /** What the paths' next reads are, once they were read and the write was made. */
  const after = async (method: string, target: string, ...reads: readonly string[]) => {
    await verdictsOf(running, ...reads);
    const { port } = running;
    await running.request(target, { method, headers: { host: `127.0.0.1:${port}` } });
    return verdictsOf(running, ...reads);
  };

  it.each(['PUT', 'PATCH', 'DELETE', 'LOCK', 'MOVE', 'PROPPATCH'])(
    'evicts its own path, every query of it, and no other: %s',
    async (method) => {
      await start();
      const reads = ['/api/books/emma', '/api/books/emma?a=1', '/api/books/ulysses', '/api/books'];
      expect(await after(method, '/api/books/emma', ...reads)).toEqual(['MISS', 'MISS', 'HIT', 'HIT']);
    },
  );

  it.each(['PROPFIND', 'SEARCH'])('is none where its method only reads: %s', async (method) => {
    await start();
    expect(await after(method, '/api/books/emma', '/api/books/emma')).toEqual(['HIT']);
  });

  it('evicts its own path where it is a POST', async () => {
    await start();
    expect(await after('POST', '/api/books', '/api/books', '/api/books/emma')).toEqual(['MISS', 'HIT']);
  });

  it.each([400, 404, 500, 503])('that failed with %i evicts nothing', async (failure) => {
    await start();
    status = failure;
    expect(await after('POST', '/api/books', '/api/books')).toEqual(['HIT']);
  });

  it.each(['located', 'content', 'raw', 'redirected'])(
    'evicts what its reply names as changed, where it is of the same origin (%s)',
    async (way) => {
      await start();
      const port = String(running.port);
      const reads = ['/api/books/emma', '/api/books/ulysses'];
      for (const same of ['/api/books/emma', `http://127.0.0.1:${port}/api/books/emma?a`, '../emma']) {
        location = same;
        expect(await after('POST', `/api/books/import/${way}`, ...reads)).toEqual(['MISS', 'HIT']);
      }
      for (const other of [
        'http://other.example/api/books/emma',
        '//other/api/books/emma',
        'http://[',
        'mailto:emma',
      ]) {
        location = other;
        expect(await after('POST', `/api/books/import/${way}`, ...reads)).toEqual(['HIT', 'HIT']);
      }
    },
  );

  it('that is cached itself is a read, and evicts nothing', async () => {
    await start();
    expect(await after('POST', '/api/books/search/emma', '/api/books/search/emma')).toEqual(['HIT']);
  });

  it('evicts nothing where the route’s own when says that nothing changed', async () => {
    await start();
    expect(await after('POST', '/api/books/decided/emma', '/api/books/decided/emma')).toEqual(['HIT']);
  });

  it('evicts once for what its decorator says and for its own path', async () => {
    await start();
    await after('PUT', '/api/books/both/emma', '/api/books/both/emma', '/api/books/both/other');
    expect(running.events.filter(({ type }) => type === 'evicted')).toEqual([
      expect.objectContaining({ cause: 'tags', tags: 2, acknowledged: true }),
    ]);
  });

  it('to a path that no cached route serves makes no eviction', async () => {
    await start();
    await running.request('/api/logs', { method: 'POST' });
    expect(running.events.filter(({ type }) => type === 'evicted')).toEqual([]);
  });

  it('evicts only what it is told to where autoEvict is off, for a route or for all', async () => {
    await start();
    expect(await after('PUT', '/api/books/off/emma', '/api/books/off/emma')).toEqual(['HIT']);
    await running.close();
    await start({ autoEvict: false });
    expect(await after('PUT', '/api/books/emma', '/api/books/emma')).toEqual(['HIT']);
  });
});
