import { Controller, Get, type INestApplication, VersioningType } from '@nestjs/common';
import { CacheView } from 'nestjs-caching';
import { afterEach, describe, expect, it } from 'vitest';
import { PLATFORMS } from '../support/application.js';
import { type EvictionLibrary, startLibrary } from '../support/eviction-library.js';

/** Spellings of one path that a router with the given options takes to the same handler. */
const SPELLINGS = {
  'express as it comes': {
    platform: 'express',
    router: undefined,
    targets: [
      '/books/foo',
      '/books/%66oo',
      '/books/f%6Fo',
      '/books/f%6fo',
      '/Books/foo',
      '/BOOKS/FOO',
      '/books/foo/',
      '/books/foo#part',
    ],
  },
  'fastify as it comes': {
    platform: 'fastify',
    router: undefined,
    targets: [
      '/books/foo',
      '/books/%66oo',
      '/books/f%6Fo',
      '/books/f%6fo',
      '/%62ooks/foo',
      '/bo%6fks/%66%6F%6f',
      '/books/foo#part',
    ],
  },
  'fastify with a lenient router': {
    platform: 'fastify',
    router: {
      ignoreTrailingSlash: true,
      ignoreDuplicateSlashes: true,
      caseSensitive: false,
      useSemicolonDelimiter: true,
    },
    targets: [
      '/books/foo',
      '/books/foo/',
      '//books///foo',
      '/BOOKS/foo',
      '/Books/%46oo',
      '/books/foo;v=1',
      '/books/foo;a=1&b=/c/d',
      '/books/foo;v=1?w=2',
      // The Kelvin sign is "k" in lower case, so this router takes it for one.
      '/boo%E2%84%AAs/foo',
    ],
  },
} as const;

const OTHERS = ['/books', '/books/fo', '/books/food', '/books/foo/pages/1', '/books/f%2Foo', '/bookshelf'];

describe.each(Object.entries(SPELLINGS))(
  'spellings of a path on %s',
  (_name, { platform, router, targets }) => {
    let library: EvictionLibrary;

    afterEach(() => library.close());

    const start = async (): Promise<void> => {
      library = await startLibrary(platform, router && { fastify: { routerOptions: router } });
      await library.warm([...targets, ...OTHERS]);
    };

    it('byPath evicts all of them, whichever of them it is given', async () => {
      await start();
      for (const target of targets) {
        await library.evictions.byPath(target);
        expect(await library.evicted([...targets, ...OTHERS]), `byPath('${target}')`).toEqual(targets);
      }
    });

    it('byPrefix evicts all of them and what is under them, whichever of them it is given', async () => {
      await start();
      const under = [...targets, '/books/foo/pages/1'];
      for (const target of targets) {
        await library.evictions.byPrefix(target);
        expect(
          await library.evicted([...under, ...OTHERS.filter((other) => !under.includes(other))]),
        ).toEqual(under);
      }
    });

    it('byPrefix of a parent evicts all of them', async () => {
      await start();
      await library.evictions.byPrefix('/books');
      expect(await library.evicted([...targets, '/bookshelf'])).toEqual(targets);
    });
  },
);

describe.each(PLATFORMS)('paths as they are public, on %s', (platform) => {
  let library: EvictionLibrary;

  afterEach(() => library.close());

  it('byPath and byPrefix take the global prefix and the URI version', async () => {
    library = await startLibrary(platform, {
      setUp(app: INestApplication) {
        app.setGlobalPrefix('api');
        app.enableVersioning({ type: VersioningType.URI, defaultVersion: ['1', '2'] });
      },
    });
    const targets = ['/api/v1/books/foo', '/api/v2/books/foo', '/api/v1/books', '/api/v1/bookshelf'];
    await library.warm(targets);
    await library.evictions.byPath('/books/foo');
    await library.evictions.byPrefix('/books');
    expect(await library.evicted(targets)).toEqual([]);
    await library.evictions.byPath('/api/v1/books/foo');
    expect(await library.evicted(targets)).toEqual(['/api/v1/books/foo']);
    await library.evictions.byPrefix('/api/v1/books');
    expect(await library.evicted(targets)).toEqual(['/api/v1/books/foo', '/api/v1/books']);
    await library.evictions.byPrefix('/api/v2');
    expect(await library.evicted(targets)).toEqual(['/api/v2/books/foo']);
  });

  it('byPath and byPrefix find a rewritten request by what was asked and by what was routed', async () => {
    const rewrite = (url = '/') => url.replace(/^\/legacy\//, '/books/');
    library = await startLibrary(platform, {
      fastify: { rewriteUrl: ({ url }) => rewrite(url) },
      setUp(app: INestApplication) {
        if (platform === 'fastify') return;
        app.use((request: { url: string }, _response: unknown, next: () => void) => {
          request.url = rewrite(request.url);
          next();
        });
      },
    });
    const targets = ['/legacy/foo', '/books/foo', '/books/bar'];
    const expectations = [
      [() => library.evictions.byPath('/legacy/foo'), ['/legacy/foo']],
      [() => library.evictions.byPath('/books/foo'), ['/legacy/foo', '/books/foo']],
      [() => library.evictions.byPrefix('/legacy'), ['/legacy/foo']],
      [() => library.evictions.byPrefix('/books'), targets],
    ] as const;
    await library.warm(targets);
    for (const [evict, gone] of expectations) {
      await evict();
      expect(await library.evicted(targets)).toEqual(gone);
    }
  });

  it('byPath evicts an encoded path however its hex digits are spelt, and takes it decoded as well', async () => {
    @Controller('raw')
    class RawController {
      @Get(platform === 'express' ? '*rest' : '*') @CacheView() all() {
        return 'raw';
      }
    }
    library = await startLibrary(platform, { controllers: [RawController] });
    const targets = ['/raw/caf%C3%A9', '/raw/caf%c3%a9', '/raw/a%2Fb', '/raw/a%2fb'];

    await library.warm([...targets, '/raw/other']);
    await library.evictions.byPath('/raw/café');
    await library.evictions.byPath('/raw/a%2Fb');
    expect(await library.evicted([...targets, '/raw/other'])).toEqual(targets);
  });

  it('byPrefix reaches below 16 segments by the first 16', async () => {
    @Controller('deep')
    class DeepController {
      @Get(platform === 'express' ? '*rest' : '*') @CacheView() all() {
        return 'deep';
      }
    }
    library = await startLibrary(platform, { controllers: [DeepController] });
    const fifteen = '/x'.repeat(15);
    const targets = [
      `/deep${fifteen}`,
      `/deep${fifteen}/y`,
      `/deep${fifteen}/y/z`,
      `/deep${'/x'.repeat(14)}/y`,
    ];
    await library.warm(targets);
    await library.evictions.byPrefix(`/deep${fifteen}/y/z`);
    expect(await library.evicted(targets)).toEqual(targets.slice(0, 3));
    await library.evictions.byPath(`/deep${fifteen}/y/z`);
    expect(await library.evicted(targets)).toEqual([`/deep${fifteen}/y/z`]);
  });
});
