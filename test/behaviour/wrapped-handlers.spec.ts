import { Controller, Get, Injectable, Post, Scope } from '@nestjs/common';
import { ExternalContextCreator } from '@nestjs/core';
import { RouterExecutionContext } from '@nestjs/core/router/router-execution-context.js';
import { CacheEvict, CacheView } from 'nestjs-caching';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';

type Handler = (this: unknown, ...args: unknown[]) => unknown;

/** What tracers do: a function of their own around each handler, made as its route is. */
function wrapHandlers(wrap: (handler: Handler) => Handler): void {
  const create = Reflect.get(RouterExecutionContext.prototype, 'create') as Handler;
  vi.spyOn(RouterExecutionContext.prototype, 'create').mockImplementation(function (
    this: RouterExecutionContext,
    instance,
    callback,
    ...rest
  ) {
    return create.call(this, instance, wrap(callback as Handler), ...rest) as never;
  });
}

function around(handler: Handler): Handler {
  return function (...args) {
    return handler.apply(this, args);
  };
}

function withMetadata(handler: Handler, wrapper: Handler): Handler {
  for (const key of Reflect.getMetadataKeys(handler) as string[])
    Reflect.defineMetadata(key, Reflect.getMetadata(key, handler), wrapper);
  return wrapper;
}

function named(handler: Handler, wrapper: Handler): Handler {
  return Object.defineProperty(wrapper, 'name', { value: handler.name });
}

/** A decorator that replaces a method by a function with another name. */
function Logged(): MethodDecorator {
  return (_target, _name, descriptor: PropertyDescriptor) => {
    descriptor.value = around(descriptor.value as Handler);
  };
}

let runs = 0;

@Controller('books')
class BooksController {
  @Get() @CacheView({ tags: ['books'] }) list() {
    return { run: ++runs };
  }

  @Get('logged') @CacheView({ tags: ['books'] }) @Logged() logged() {
    return { run: ++runs };
  }

  @Post() @CacheEvict('books') add() {
    return 'added';
  }

  count() {
    return runs;
  }
}

@Controller('books')
class BoundController extends BooksController {
  override list = super.list.bind(this);
  override add = super.add.bind(this);
}

@Injectable({ scope: Scope.REQUEST })
class RequestScoped {}

@Controller('books')
class RequestController extends BooksController {
  constructor(readonly scoped: RequestScoped) {
    super();
  }
}

describe.each(PLATFORMS)('a handler that Nest has in another function on %s', (platform) => {
  let running: RunningApplication;

  afterEach(async () => {
    vi.restoreAllMocks();
    await running.close();
  });

  const start = async (controller: new (...args: never[]) => BooksController = BooksController) => {
    running = await startApplication(platform, { controllers: [controller], providers: [RequestScoped] });
  };

  const playAll = async (target: string) => {
    const verdicts = [];
    for (let times = 0; times < 2; times++) verdicts.push((await running.request(target)).verdict);
    await running.request('/books', { method: 'POST' });
    verdicts.push((await running.request(target)).verdict);
    return verdicts;
  };

  const CACHED_AND_EVICTED = ['MISS', 'HIT', 'MISS'];

  it('is cached and evicts where that has its name and its metadata, as tracers see to', async () => {
    wrapHandlers((handler) => named(handler, withMetadata(handler, around(handler))));
    await start();
    expect(await playAll('/books')).toEqual(CACHED_AND_EVICTED);
    expect(await playAll('/books/logged')).toEqual(CACHED_AND_EVICTED);
    expect(running.logger.warnings).toEqual([]);
  });

  it('is cached and evicts where the wrapper is another one for each request', async () => {
    wrapHandlers((handler) => named(handler, withMetadata(handler, around(handler))));
    await start(RequestController);
    expect(await playAll('/books')).toEqual(CACHED_AND_EVICTED);
  });

  it('is cached and evicts where that has its metadata only', async () => {
    wrapHandlers((handler) => withMetadata(handler, around(handler)));
    await start();
    expect(await playAll('/books')).toEqual(CACHED_AND_EVICTED);
  });

  it('is cached and evicts where its controller has bound it', async () => {
    await start(BoundController);
    expect(await playAll('/books')).toEqual(CACHED_AND_EVICTED);
  });

  it('is not what other libraries call of a controller', async () => {
    await start();
    const contexts = running.app.get(ExternalContextCreator);
    const controller = running.app.get(BooksController);
    const call = contexts.create(controller, Reflect.get(controller, 'count'), 'count');
    expect(await call({}, {}, () => undefined)).toBe(runs);
    expect(running.logger.warnings).toEqual([]);
  });

  it('is told of once where nothing says which it is', async () => {
    wrapHandlers(around);
    await start();
    expect(await playAll('/books')).toEqual([undefined, undefined, undefined]);
    expect(running.logger.warnings).toEqual([
      expect.stringMatching(/^BooksController: .* its responses are not cached, and it evicts nothing\.$/),
    ]);
  });
});
