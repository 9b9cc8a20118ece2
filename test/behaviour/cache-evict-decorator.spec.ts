import {
  All,
  BadRequestException,
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  type INestApplication,
  Options,
  Param,
  Patch,
  Post,
  Put,
  Redirect,
  Res,
  type Type,
} from '@nestjs/common';
import { CacheEvict, CacheView, jsonBody, type RequestView } from 'nestjs-caching';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { throwError } from 'rxjs';
import { PLATFORMS } from '../support/application.js';
import { type EvictionLibrary, startLibrary } from '../support/eviction-library.js';

const TARGETS = ['/books', '/books?page=2', '/books/emma', '/books/the%20trial%2F1', '/bookshelf'] as const;

interface StatusReply {
  status(code: number): { send(body: unknown): unknown };
}

type Named = RequestView<{ body: { name: string } }>;
type Asking = RequestView<{ query: { name?: string } }>;
type Publishing = RequestView<{ body: { publish: boolean } }>;

describe.each(PLATFORMS)('@CacheEvict on %s', (platform) => {
  let library: EvictionLibrary | undefined;

  beforeEach(() => (library = undefined));
  afterEach(() => library?.close());

  const start = async (...controllers: Type[]): Promise<EvictionLibrary> => {
    library = await startLibrary(platform, { controllers });
    await library.warm(TARGETS);
    return library;
  };

  /** What a request evicted. */
  const after = async (method: string, target: string, body?: unknown): Promise<string[]> => {
    const running = library as EvictionLibrary;
    const { status } = await running.request(target, { method, body });
    if (status >= 400) throw new Error(`${method} ${target} gave ${status}`);
    return running.evicted(TARGETS);
  };

  it('evicts by the tags it names', async () => {
    @Controller('writes')
    class Writes {
      @Post('one') @CacheEvict('shelf') one() {}
      @Post('two') @CacheEvict('shelf', 'book:emma') two() {}
      @Post('list') @CacheEvict({ tags: ['book:emma'] }) list() {}
    }
    await start(Writes);
    expect(await after('POST', '/writes/one')).toEqual(['/bookshelf']);
    expect(await after('POST', '/writes/two')).toEqual(['/books/emma', '/bookshelf']);
    expect(await after('POST', '/writes/list')).toEqual(['/books/emma']);
  });

  it('evicts by tags made from the request, at once or with a promise', async () => {
    @Controller('writes')
    class Writes {
      @Put(':name') @CacheEvict({ tags: ({ params }) => [`book:${params.name}`] }) byParam() {}
      @Post() @CacheEvict({ tags: async ({ body }: Named) => [`book:${body.name}`] }) byBody() {}
      @Delete()
      @CacheEvict({ tags: ({ query }: Asking) => (query.name ? [`book:${query.name}`] : []) })
      byQuery() {}
    }
    await start(Writes);
    expect(await after('PUT', '/writes/emma')).toEqual(['/books/emma']);
    expect(await after('POST', '/writes', { name: 'the trial/1' })).toEqual(['/books/the%20trial%2F1']);
    expect(await after('DELETE', '/writes?name=emma')).toEqual(['/books/emma']);
    expect(await after('DELETE', '/writes')).toEqual([]);
  });

  it('evicts by path templates, whose params are encoded as a client encodes them', async () => {
    @Controller('writes')
    class Writes {
      @Put(':name') @CacheEvict({ paths: ['/books/:name'] }) one() {}
      @Delete(':name/:shelf') @CacheEvict({ paths: ['/books', '/:shelf'] }) two() {}
    }
    await start(Writes);
    expect(await after('PUT', '/writes/emma')).toEqual(['/books/emma']);
    expect(await after('PUT', '/writes/the%20trial%2F1')).toEqual(['/books/the%20trial%2F1']);
    expect(await after('PUT', '/writes/em')).toEqual([]);
    expect(await after('DELETE', '/writes/x/bookshelf')).toEqual(['/books', '/books?page=2', '/bookshelf']);
  });

  it('evicts by routes, everything, and by all of its fields together', async () => {
    @Controller('more')
    class More {
      @Get() @CacheView() view() {
        return 'more';
      }
    }
    @Controller('writes')
    class Writes {
      @Post('routes') @CacheEvict({ routes: [[More, 'view']] }) routes() {}
      @Post('all') @CacheEvict({ all: true }) all() {}
      @Post('both')
      @CacheEvict({ tags: ['shelf'], paths: ['/books/emma'], routes: [[More, 'view']] })
      both() {}
    }
    const running = await start(More, Writes);
    await running.warm(['/more']);
    expect(await after('POST', '/writes/routes')).toEqual([]);
    expect(await running.evicted(['/more'])).toEqual(['/more']);
    expect(await after('POST', '/writes/both')).toEqual(['/books/emma', '/bookshelf']);
    expect(await running.evicted(['/more'])).toEqual(['/more']);
    expect(await after('POST', '/writes/all')).toEqual(TARGETS);
  });

  it('evicts only where `when` returns true', async () => {
    @Controller('writes')
    class Writes {
      @Post('sync') @CacheEvict({ all: true, when: ({ body }: Publishing) => body.publish }) sync(
        @Body() _body: object,
      ) {}
      @Post('async') @CacheEvict({ all: true, when: async ({ query }) => query.publish === '1' }) async() {}
    }
    await start(Writes);
    expect(await after('POST', '/writes/sync', { publish: false })).toEqual([]);
    expect(await after('POST', '/writes/sync', { publish: true })).toEqual(TARGETS);
    expect(await after('POST', '/writes/async')).toEqual([]);
    expect(await after('POST', '/writes/async?publish=1')).toEqual(TARGETS);
  });

  it('on a controller counts for its unsafe methods that have none of their own', async () => {
    @Controller('writes')
    @CacheEvict('shelf')
    class Writes {
      @Get() get() {}
      @Options() options() {}
      @Post() post() {}
      @Put() put() {}
      @Patch() patch() {}
      @Delete() delete() {}
      @Post('own') @CacheEvict('book:emma') own() {}
      @All('any') any() {}
    }
    await start(Writes);
    for (const method of ['GET', 'HEAD', 'OPTIONS'])
      expect([method, await after(method, '/writes')]).toEqual([method, []]);
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      expect([method, await after(method, '/writes')]).toEqual([method, ['/bookshelf']]);
    }
    expect(await after('POST', '/writes/own')).toEqual(['/books/emma']);
    expect(await after('GET', '/writes/any')).toEqual([]);
    expect(await after('POST', '/writes/any')).toEqual(['/bookshelf']);
  });

  it('on a GET handler of its own counts as well', async () => {
    @Controller('writes')
    class Writes {
      @Get('touch') @CacheEvict('shelf') touch() {}
    }
    await start(Writes);
    expect(await after('GET', '/writes/touch')).toEqual(['/bookshelf']);
  });

  it('evicts after a redirect and after an empty reply', async () => {
    @Controller('writes')
    class Writes {
      @Post('redirect') @Redirect('/elsewhere', 303) @CacheEvict('shelf') redirect() {}
      @Post('empty') @HttpCode(204) @CacheEvict('shelf') empty() {}
    }
    await start(Writes);
    expect(await after('POST', '/writes/redirect')).toEqual(['/bookshelf']);
    expect(await after('POST', '/writes/empty')).toEqual(['/bookshelf']);
  });

  it.each([
    ['an exception', 'exception', 400],
    ['an error that nobody expected', 'error', 500],
    ['a rejected promise', 'rejected', 500],
    ['an Observable that fails', 'observable', 500],
    ['a status set on the way', 'status', 409],
    ['a reply of its own with an error status', 'reply', 503],
    ['a declared error status', 'declared', 422],
  ])('evicts nothing after %s', async (_case, target, status) => {
    const failure = (): Error => new Error('on purpose');
    @Controller('writes')
    @CacheEvict({ all: true })
    class Writes {
      @Post('exception') exception() {
        throw new BadRequestException();
      }
      @Post('error') error() {
        throw failure();
      }
      @Post('rejected') rejected() {
        return Promise.reject(failure());
      }
      @Post('observable') observable() {
        return throwError(failure);
      }
      @Post('status') status(@Res({ passthrough: true }) reply: StatusReply) {
        reply.status(409);
        return { conflict: true };
      }
      @Post('reply') reply(@Res() reply: StatusReply) {
        reply.status(503).send('later');
      }
      @Post('declared') @HttpCode(422) declared() {}
    }
    const running = await start(Writes);
    expect((await running.request(`/writes/${target}`, { method: 'POST' })).status).toBe(status);
    expect(await running.evicted(TARGETS)).toEqual([]);
    expect(running.events.filter(({ type }) => type === 'evicted')).toEqual([]);
  });

  it('evicts nothing where a guard, a pipe or an interceptor lets nobody through', async () => {
    const refuse = () => {
      throw new BadRequestException();
    };
    @Controller('writes')
    class Writes {
      @Post(':id') @CacheEvict({ all: true }) piped(@Param('id', { transform: refuse }) _id: string) {}
    }
    const running = await start(Writes);
    expect((await running.request('/writes/7', { method: 'POST' })).status).toBe(400);
    expect(await running.evicted(TARGETS)).toEqual([]);
  });

  it('evicts also where `unless` made the request bypass the cache', async () => {
    @Controller('writes')
    class Writes {
      @Post()
      @CacheView({ key: jsonBody(), unless: ({ query }) => query.nocache === '1' })
      @CacheEvict('shelf')
      write(@Body() _body: object) {
        return 'written';
      }
    }
    const running = await start(Writes);
    const reply = await running.request('/writes?nocache=1', { method: 'POST', body: {} });
    expect(reply.cacheStatus).toContain('detail=unless');
    expect(await running.evicted(TARGETS)).toEqual(['/bookshelf']);
    expect(await after('POST', '/writes', {})).toEqual(['/bookshelf']);
  });

  it.each<[string, Parameters<typeof CacheEvict>[0] | undefined, RegExp]>([
    ['nothing to evict', { tags: [] }, /"tags".*something to evict/],
    ['an empty tag', { tags: [''] }, /"tags"/],
    ['a misspelt field', { tag: ['books'] } as never, /"tag"/],
    ['a path without a slash', { paths: ['books'] }, /"paths"/],
    ['a controller of no module', { routes: [[class Other {}, 'list']] }, /"routes".*Other\.list/],
    ['`when` that is no function', { all: true, when: true as never }, /"when"/],
  ])('with %s stops the start and names route and field', async (_case, options, message) => {
    @Controller('writes')
    class Writes {
      @Post() @CacheEvict(options as never) write() {}
    }
    await expect(start(Writes)).rejects.toThrow(message);
    await expect(start(Writes)).rejects.toThrow('@CacheEvict of Writes.write');
  });

  it('with a path parameter that its route lacks is warned of, and evicts the rest', async () => {
    @Controller('writes')
    class Writes {
      @Post() @CacheEvict({ paths: ['/books/:name'], tags: ['shelf'] }) write() {}
    }
    const running = await start(Writes);
    expect(running.logger.warnings).toEqual([
      expect.stringMatching(/Writes\.write.*@CacheEvict name :name,/),
    ]);
    expect((await running.request('/writes', { method: 'POST' })).status).toBe(201);
    expect(await running.evicted(TARGETS)).toEqual(['/bookshelf']);
  });

  it('with a method that is no handler stops the start', async () => {
    @Controller('writes')
    class Writes {
      @Post() @CacheEvict({ routes: [[Writes, 'helper']] }) write() {}
      helper() {}
    }
    await expect(start(Writes)).rejects.toThrow(/"routes".*Writes\.helper/);
  });

  it.each([
    ['throws', /The tags callback of Writes\.throws failed: on purpose/],
    ['nonsense', /The tags callback of Writes\.nonsense returned "books"/],
    ['when', /The when callback of Writes\.when failed: on purpose/],
  ])('surfaces a callback that %s as an error that names it', async (target, message) => {
    const fail = (): never => {
      throw new Error('on purpose');
    };
    @Controller('writes')
    class Writes {
      @Post('throws') @CacheEvict({ tags: fail }) throws() {}
      @Post('nonsense') @CacheEvict({ tags: () => 'books' as never }) nonsense() {}
      @Post('when') @CacheEvict({ all: true, when: fail }) when() {}
    }
    const seen: unknown[] = [];
    library = await startLibrary(platform, {
      controllers: [Writes],
      setUp: (app: INestApplication) =>
        void app.useGlobalFilters({
          catch(error: unknown, host: { switchToHttp(): { getResponse(): StatusReply } }) {
            seen.push(error);
            host.switchToHttp().getResponse().status(500).send({ failed: true });
          },
        } as never),
    });
    await library.warm(TARGETS);
    expect((await library.request(`/writes/${target}`, { method: 'POST' })).status).toBe(500);
    expect(seen).toEqual([expect.objectContaining({ code: 'CACHING_CALLBACK' })]);
    expect((seen[0] as Error).message).toMatch(message);
    expect(await library.evicted(TARGETS)).toEqual([]);
  });
});
