import {
  type ArgumentsHost,
  type CallHandler,
  Catch,
  ClassSerializerInterceptor,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Get,
  HttpException,
  type INestApplication,
  Injectable,
  Module,
  type NestInterceptor,
  NotFoundException,
  UseFilters,
  UseInterceptors,
} from '@nestjs/common';
import { APP_FILTER, APP_INTERCEPTOR, ApplicationConfig, Reflector } from '@nestjs/core';
import { Exclude } from 'class-transformer';
import { CacheView, CachingModule } from 'nestjs-caching';
import type { Response } from 'express';
import type { FastifyReply } from 'fastify';
import { map, tap } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type ApplicationOptions,
  PLATFORMS,
  type RunningApplication,
  startApplication,
} from '../support/application.js';
import { wireBytes, wireRequest } from '../support/wire.js';

class User {
  readonly name = 'alice';

  @Exclude() readonly password = 'hunter2';
}

@Controller()
class UsersController {
  @Get('user') @CacheView() user() {
    return new User();
  }

  @Get('users') @CacheView() users() {
    return Promise.resolve([new User(), new User()]);
  }
}

const SERIALIZER = { provide: APP_INTERCEPTOR, useClass: ClassSerializerInterceptor };

@Module({ providers: [SERIALIZER] })
class SerializerModule {}

@Module({ imports: [SerializerModule, CachingModule.forRoot()] })
class SerializerThenCachingModule {}

@Module({ imports: [CachingModule.forRoot(), SerializerModule] })
class CachingThenSerializerModule {}

const useSerializer = (app: INestApplication): void => {
  app.useGlobalInterceptors(new ClassSerializerInterceptor(app.get(Reflector)));
};

/** Where the application may have registered its serializer, the test's own CachingModule coming first. */
const PLACES: Readonly<Record<string, ApplicationOptions>> = {
  'as APP_INTERCEPTOR of the root module': { providers: [SERIALIZER] },
  'as APP_INTERCEPTOR of an imported module': { imports: [SerializerModule] },
  'in a module that is imported before another forRoot': { imports: [SerializerThenCachingModule] },
  'in a module that is imported after another forRoot': { imports: [CachingThenSerializerModule] },
  'by app.useGlobalInterceptors': { setUp: useSerializer },
  twice: { providers: [SERIALIZER], setUp: useSerializer },
};

describe.each(PLATFORMS)('ClassSerializerInterceptor on %s', (platform) => {
  let running: RunningApplication;

  afterEach(() => running.close());

  it.each(Object.entries(PLACES))('%s: an @Exclude()d field never appears', async (_place, options) => {
    running = await startApplication(platform, { controllers: [UsersController], ...options });
    for (const target of ['/user', '/users']) {
      const miss = await wireRequest(running.port, target);
      const hit = await wireRequest(running.port, target);
      expect([miss.verdict, hit.verdict]).toEqual(['MISS', 'HIT']);
      expect(miss.text).toContain('alice');
      expect(miss.payload.toString()).not.toContain('hunter2');
      expect(wireBytes(hit)).toBe(wireBytes(miss));
    }
  });

  it('imported before CachingModule: an @Exclude()d field never appears', async () => {
    running = await startApplication(platform, {
      caching: false,
      controllers: [UsersController],
      imports: [SerializerModule, CachingModule.forRoot()],
    });
    const miss = await wireRequest(running.port, '/user');
    const hit = await wireRequest(running.port, '/user');
    expect([miss.verdict, hit.verdict]).toEqual(['MISS', 'HIT']);
    expect([miss.text, hit.text]).toEqual(['{"name":"alice"}', '{"name":"alice"}']);
  });
});

describe.each(PLATFORMS)('interceptors and filters around a handler on %s', (platform) => {
  let running: RunningApplication;

  afterEach(() => running.close());

  it('a wrapping interceptor is applied once, and its result is the same on the hit', async () => {
    let wrapped = 0;
    @Injectable()
    class WrapInterceptor implements NestInterceptor {
      intercept(context: ExecutionContext, next: CallHandler) {
        const response = context.switchToHttp().getResponse<Response & FastifyReply>();
        return next.handle().pipe(
          map((data: unknown) => {
            wrapped += 1;
            response.header('X-Wrapped', String(wrapped)).status(203);
            return { data, meta: { wrapped } };
          }),
        );
      }
    }
    @Controller()
    class BooksController {
      @Get() @CacheView() list() {
        return ['a book'];
      }
    }
    running = await startApplication(platform, {
      controllers: [BooksController],
      providers: [{ provide: APP_INTERCEPTOR, useClass: WrapInterceptor }],
    });
    const miss = await wireRequest(running.port, '/');
    const hit = await wireRequest(running.port, '/');
    expect([miss.verdict, hit.verdict]).toEqual(['MISS', 'HIT']);
    expect(miss.text).toBe('{"data":["a book"],"meta":{"wrapped":1}}');
    expect([hit.status, hit.field('x-wrapped')]).toEqual([203, '1']);
    expect(wireBytes(hit)).toBe(wireBytes(miss));
    expect(wrapped).toBe(1);
    expect(running.logger.errors).toEqual([]);
  });

  it('an interceptor that another module put outside of the cache may still set fields on a hit', async () => {
    let requests = 0;
    const outer: NestInterceptor = {
      intercept: (context: ExecutionContext, next: CallHandler) =>
        next.handle().pipe(
          tap(() => {
            const response = context.switchToHttp().getResponse<Response & FastifyReply>();
            response.header(`X-Request-${++requests}`, 'seen');
          }),
        ),
    };
    @Module({})
    class OuterModule {
      constructor(application: ApplicationConfig) {
        application.useGlobalInterceptors(outer);
      }
    }
    @Controller()
    class BooksController {
      @Get() @CacheView() list() {
        return ['a book'];
      }
    }
    running = await startApplication(platform, {
      caching: false,
      controllers: [BooksController],
      imports: [OuterModule, CachingModule.forRoot()],
    });
    await wireRequest(running.port, '/');
    const hit = await wireRequest(running.port, '/');
    expect([hit.verdict, hit.text]).toEqual(['HIT', '["a book"]']);
    expect(hit.field('x-request-2')).toBe('seen');
    expect(running.logger.errors).toEqual([]);
  });

  it('an interceptor of the handler and one of the application count as they are nested', async () => {
    const suffix = (text: string): NestInterceptor => ({
      intercept: (_context: ExecutionContext, next: CallHandler) =>
        next.handle().pipe(map((value: string) => value + text)),
    });
    @Controller()
    class BooksController {
      @Get() @UseInterceptors(suffix(' inner')) @CacheView() list() {
        return 'handler';
      }
    }
    running = await startApplication(platform, {
      controllers: [BooksController],
      setUp: (app) => void app.useGlobalInterceptors(suffix(' outer')),
    });
    const texts = [await wireRequest(running.port, '/'), await wireRequest(running.port, '/')];
    expect(texts.map(({ text }) => text)).toEqual(['handler inner outer', 'handler inner outer']);
    expect(texts[1]?.verdict).toBe('HIT');
  });

  it('an exception filter’s response is the one that is kept, where its status is', async () => {
    let caught = 0;
    @Catch(HttpException)
    class TeapotFilter implements ExceptionFilter<HttpException> {
      catch(_error: HttpException, host: ArgumentsHost): void {
        caught += 1;
        const response = host.switchToHttp().getResponse<Response & FastifyReply>();
        void response.status(418).header('X-Caught', String(caught)).send({ caught });
      }
    }
    @Controller()
    class BooksController {
      @Get('kept') @CacheView({ statuses: [418] }) kept() {
        throw new NotFoundException();
      }

      @Get('unkept') @UseFilters(TeapotFilter) @CacheView({ statuses: [200, 404] }) unkept() {
        throw new NotFoundException();
      }
    }
    running = await startApplication(platform, {
      controllers: [BooksController],
      providers: [{ provide: APP_FILTER, useClass: TeapotFilter }],
    });
    const miss = await wireRequest(running.port, '/kept');
    const hit = await wireRequest(running.port, '/kept');
    expect([miss.verdict, hit.verdict]).toEqual(['MISS', 'HIT']);
    expect([hit.status, hit.text, hit.field('x-caught')]).toEqual([418, '{"caught":1}', '1']);
    expect(wireBytes(hit)).toBe(wireBytes(miss));
    expect(caught).toBe(1);
    await wireRequest(running.port, '/unkept');
    expect((await wireRequest(running.port, '/unkept')).cacheStatus).toBe(
      'nestjs-caching; fwd=uri-miss; detail=status',
    );
    expect(caught).toBe(3);
  });

  it('a filter that turns an error into a page has the page kept', async () => {
    @Catch()
    class PageFilter implements ExceptionFilter {
      catch(_error: unknown, host: ArgumentsHost): void {
        const response = host.switchToHttp().getResponse<Response & FastifyReply>();
        void response.status(200).header('Content-Type', 'text/html').send('<p>nothing here</p>');
      }
    }
    let runs = 0;
    @Controller()
    class BooksController {
      @Get() @UseFilters(new PageFilter()) @CacheView() list() {
        runs += 1;
        throw new Error('never seen');
      }
    }
    running = await startApplication(platform, { controllers: [BooksController] });
    const miss = await wireRequest(running.port, '/');
    const hit = await wireRequest(running.port, '/');
    expect([hit.verdict, hit.text]).toEqual(['HIT', '<p>nothing here</p>']);
    expect(wireBytes(hit)).toBe(wireBytes(miss));
    expect(runs).toBe(1);
  });
});
