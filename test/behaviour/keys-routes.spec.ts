import { Controller, Get, type INestApplication, Param, Version, VersioningType } from '@nestjs/common';
import { CacheEvictionService, CacheView } from 'nestjs-caching';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type ApplicationOptions,
  PLATFORMS,
  type RunningApplication,
  startApplication,
} from '../support/application.js';
import { verdictsOf } from '../support/verdicts.js';

describe.each(PLATFORMS)('routes and their keys on %s', (platform) => {
  let running: RunningApplication;
  const start = async (options: ApplicationOptions) => {
    running = await startApplication(platform, options);
    return running;
  };

  afterEach(() => running.close());

  it('share nothing where two controllers have the same class name', async () => {
    const make = (path: string, answer: string) => {
      @Controller(path)
      class SameController {
        @Get(':id') @CacheView() one(@Param('id') id: string) {
          return { answer, id };
        }
      }
      return SameController;
    };
    const [First, Second] = [make(':any/a', 'first'), make(':any/b', 'second')];
    await start({ controllers: [First, Second] });
    expect((await running.request('/x/a/1')).text).toContain('first');
    expect((await running.request('/x/b/1')).text).toContain('second');
    const evictions = running.app.get(CacheEvictionService);
    const keys = await Promise.all(
      [First, Second].map((controller) => evictions.keyFor(controller, 'one', { url: '/x' })),
    );
    expect(keys[0]).not.toBe(keys[1]);
    await evictions.byRoute(First, 'one');
    expect(await verdictsOf(running, '/x/a/1', '/x/b/1')).toEqual(['MISS', 'HIT']);
  });

  it('are found where a controller inherits its handlers, apart for each heir', async () => {
    abstract class BaseController {
      abstract readonly what: string;

      @Get() @CacheView() list() {
        return { what: this.what };
      }
    }
    @Controller('cats')
    class CatsController extends BaseController {
      readonly what = 'cats';
    }
    @Controller('dogs')
    class DogsController extends BaseController {
      readonly what = 'dogs';
    }
    await start({ controllers: [CatsController, DogsController] });
    expect(await verdictsOf(running, '/cats', '/dogs', '/cats', '/dogs')).toEqual([
      'MISS',
      'MISS',
      'HIT',
      'HIT',
    ]);
    expect((await running.request('/dogs')).text).toBe('{"what":"dogs"}');
    await running.app.get(CacheEvictionService).byRoute(CatsController, 'list');
    expect(await verdictsOf(running, '/cats', '/dogs')).toEqual(['MISS', 'HIT']);
  });

  it('have a key for each of several paths of one handler', async () => {
    @Controller(['a', 'b'])
    class PathsController {
      @Get(['x', 'y']) @CacheView() list() {
        return {};
      }
    }
    await start({ controllers: [PathsController] });
    const targets = ['/a/x', '/a/y', '/b/x', '/b/y'];
    expect(await verdictsOf(running, ...targets)).toEqual(targets.map(() => 'MISS'));
    expect(await verdictsOf(running, ...targets)).toEqual(targets.map(() => 'HIT'));
  });

  it('are cached under a global prefix and a version in the path', async () => {
    @Controller({ path: 'books', version: '1' })
    class BooksV1Controller {
      @Get() @CacheView() list() {
        return { version: 1 };
      }
    }
    @Controller({ path: 'books', version: '2' })
    class BooksV2Controller {
      @Get() @CacheView() list() {
        return { version: 2 };
      }
    }
    await start({
      controllers: [BooksV1Controller, BooksV2Controller],
      setUp: (app: INestApplication) => {
        app.setGlobalPrefix('api');
        app.enableVersioning({ type: VersioningType.URI });
      },
    });
    const targets = ['/api/v1/books', '/api/v2/books'];
    expect(await verdictsOf(running, ...targets, ...targets)).toEqual(['MISS', 'MISS', 'HIT', 'HIT']);
    expect((await running.request('/api/v2/books')).text).toBe('{"version":2}');
    await running.app.get(CacheEvictionService).byPath('/api/v1/books');
    expect(await verdictsOf(running, ...targets)).toEqual(['MISS', 'HIT']);
  });

  it('are kept apart where a header chooses the version', async () => {
    @Controller('books')
    class BooksController {
      @Get() @Version('1') @CacheView() first() {
        return { version: 1 };
      }

      @Get() @Version('2') @CacheView() second() {
        return { version: 2 };
      }
    }
    await start({
      controllers: [BooksController],
      setUp: (app: INestApplication) =>
        void app.enableVersioning({ type: VersioningType.HEADER, header: 'x-version' }),
    });
    const ask = (version: string) => ({ target: '/books', headers: { 'x-version': version } });
    expect(await verdictsOf(running, ask('1'), ask('2'), ask('1'), ask('2'))).toEqual([
      'MISS',
      'MISS',
      'HIT',
      'HIT',
    ]);
    expect((await running.request('/books', ask('2'))).text).toBe('{"version":2}');
  });
});
