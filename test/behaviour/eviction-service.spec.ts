import { CacheUsageError } from 'nestjs-caching';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS } from '../support/application.js';
import { type EvictionLibrary, startLibrary } from '../support/eviction-library.js';

const TARGETS = [
  '/books',
  '/books?page=2',
  '/books/emma',
  '/books/emma?lang=en',
  '/books/emma/pages/1',
  '/books/emma/pages/2',
  '/books/persuasion',
  '/bookshelf',
] as const;

describe.each(PLATFORMS)('CacheEvictionService on %s', (platform) => {
  let library: EvictionLibrary;

  beforeEach(async () => {
    library = await startLibrary(platform);
    await library.warm(TARGETS);
  });

  afterEach(() => library.close());

  it('byTag evicts what carries the tag, and nothing else', async () => {
    await library.evictions.byTag('book:emma');
    expect(await library.evicted(TARGETS)).toEqual(['/books/emma', '/books/emma?lang=en']);
  });

  it('byTag of several tags evicts what carries any of them', async () => {
    await library.evictions.byTag('shelf', 'book:persuasion');
    expect(await library.evicted(TARGETS)).toEqual(['/books/persuasion', '/bookshelf']);
  });

  it('byTag of a tag that nothing carries evicts nothing', async () => {
    await library.evictions.byTag('book', 'books ', 'BOOKS', '*', 'r:BooksController.list', 'p:/BOOKS');
    expect(await library.evicted(TARGETS)).toEqual([]);
  });

  it('byPath evicts all queries of one path, not what is under it or beside it', async () => {
    await library.evictions.byPath('/books');
    expect(await library.evicted(TARGETS)).toEqual(['/books', '/books?page=2']);
    await library.evictions.byPath('/books/emma');
    expect(await library.evicted(TARGETS)).toEqual(['/books/emma', '/books/emma?lang=en']);
  });

  it('byPath evicts all header variants of one path', async () => {
    const html = { headers: { accept: 'text/html' } };
    await library.request('/books/emma', html);
    expect((await library.request('/books/emma', html)).verdict).toBe('HIT');
    await library.evictions.byPath('/books/emma');
    expect((await library.request('/books/emma', html)).verdict).toBe('MISS');
    expect((await library.request('/books/emma')).verdict).toBe('MISS');
  });

  it('byPrefix evicts a path and all under it by segments, not what only starts alike', async () => {
    await library.evictions.byPrefix('/books');
    expect(await library.evicted(TARGETS)).toEqual(TARGETS.filter((target) => target !== '/bookshelf'));
    await library.evictions.byPrefix('/books/emma');
    expect(await library.evicted(TARGETS)).toEqual(
      TARGETS.filter((target) => target.startsWith('/books/emma')),
    );
    await library.evictions.byPrefix('/books/em');
    expect(await library.evicted(TARGETS)).toEqual([]);
    await library.evictions.byPrefix('/');
    expect(await library.evicted(TARGETS)).toEqual(TARGETS);
  });

  it('byRoute evicts every response of one handler', async () => {
    await library.evictions.byRoute(library.books, 'list');
    expect(await library.evicted(TARGETS)).toEqual(['/books', '/books?page=2']);
  });

  it('byRoute with one complete set of params evicts the responses for these, decoded as the handler sees them', async () => {
    await library.evictions.byRoute(library.books, 'page', { page: 2, name: 'emma' });
    expect(await library.evicted(TARGETS)).toEqual(['/books/emma/pages/2']);
    await library.warm(['/books/the%20trial']);
    await library.evictions.byRoute(library.books, 'one', { name: 'the trial' });
    expect(await library.evicted([...TARGETS, '/books/the%20trial'])).toEqual(['/books/the%20trial']);
  });

  it('byRoute takes an optional param that is absent as not there', async () => {
    const editions = ['/books/emma/editions', '/books/emma/editions/2'];
    await library.warm(editions);
    await library.evictions.byRoute(library.books, 'edition', { name: 'emma' });
    expect(await library.evicted(editions)).toEqual(['/books/emma/editions']);
    await library.evictions.byRoute(library.books, 'edition', { name: 'emma', edition: 2 });
    expect(await library.evicted(editions)).toEqual(['/books/emma/editions/2']);
  });

  it('byRoute without params evicts all of a handler that has some', async () => {
    await library.evictions.byRoute(library.books, 'one');
    expect(await library.evicted(TARGETS)).toEqual([
      '/books/emma',
      '/books/emma?lang=en',
      '/books/persuasion',
    ]);
  });

  it('byKey evicts the one response that is stored under a key of keyFor', async () => {
    const key = await library.evictions.keyFor(library.books, 'list', { url: '/books?page=2' });
    await library.evictions.byKey(key);
    expect(await library.evicted(TARGETS)).toEqual(['/books?page=2']);
  });

  it('all evicts every view', async () => {
    await library.evictions.all();
    expect(await library.evicted(TARGETS)).toEqual(TARGETS);
    expect(await library.evicted(TARGETS)).toEqual([]);
  });

  it('returns receipts of one epoch whose stamps rise with each eviction', async () => {
    const { evictions, books } = library;
    const receipts = [
      await evictions.byTag('books'),
      await evictions.byPath('/books'),
      await evictions.byPrefix('/books'),
      await evictions.byRoute(books, 'list'),
      await evictions.byKey('cache:view:none'),
      await evictions.all(),
    ];
    expect(new Set(receipts.map(({ epoch }) => epoch)).size).toBe(1);
    expect(receipts[0]?.epoch).toMatch(/^\S+$/);
    const stamps = receipts.map(({ stamp }) => stamp);
    expect(stamps).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('takes in order evictions that are started together', async () => {
    const receipts = await Promise.all([1, 2, 3].map(() => library.evictions.byTag('books')));
    expect(receipts.map(({ stamp }) => stamp)).toEqual([1, 2, 3]);
  });

  it.each<[string, (library: EvictionLibrary) => Promise<unknown>, RegExp]>([
    ['byTag()', ({ evictions }) => evictions.byTag(), /byTag\(\).*non-empty strings/],
    ['an empty tag', ({ evictions }) => evictions.byTag('books', ''), /byTag\(""\)/],
    ['a tag that is a number', ({ evictions }) => evictions.byTag(7 as never), /byTag\(7\)/],
    ['a tag that is undefined', ({ evictions }) => evictions.byTag(undefined as never), /byTag\(undefined\)/],
    [
      'a tag that is undefined, beside a good one',
      ({ evictions }) => evictions.byTag('books', undefined as never),
      /byTag\(undefined\)/,
    ],
    ['a list in place of tags', ({ evictions }) => evictions.byTag(['books'] as never), /byTag\(an array\)/],
    ['a path without a slash', ({ evictions }) => evictions.byPath('books'), /byPath\("books"\).*full path/],
    ['an empty path', ({ evictions }) => evictions.byPath(''), /byPath\(""\)/],
    ['no path', ({ evictions }) => evictions.byPath(undefined as never), /byPath\(undefined\)/],
    ['a whole URL', ({ evictions }) => evictions.byPath('http://localhost/books'), /byPath\("http:/],
    ['a prefix without a slash', ({ evictions }) => evictions.byPrefix('books'), /byPrefix\("books"\)/],
    ['no prefix', ({ evictions }) => evictions.byPrefix(null as never), /byPrefix\(null\)/],
    ['an unknown method', ({ evictions, books }) => evictions.byRoute(books, 'lst'), /BooksController\.lst/],
    ['no controller', ({ evictions }) => evictions.byRoute(undefined as never, 'list'), /undefined\.list/],
    [
      'a controller of no module',
      ({ evictions }) => evictions.byRoute(class Other {}, 'list'),
      /Other\.list/,
    ],
    [
      'params that are no object',
      ({ evictions, books }) => evictions.byRoute(books, 'one', 'emma' as never),
      /byRoute.*"emma"/,
    ],
    [
      'params that are null',
      ({ evictions, books }) => evictions.byRoute(books, 'one', null as never),
      /byRoute.*null/,
    ],
    [
      'a set of params that is not complete',
      ({ evictions, books }) => evictions.byRoute(books, 'page', { name: 'emma' }),
      /byRoute.*BooksController\.page.*"page"/,
    ],
    [
      'a misspelt param',
      ({ evictions, books }) => evictions.byRoute(books, 'one', { nam: 'emma' }),
      /byRoute.*BooksController\.one.*"name"/,
    ],
    ['an empty key', ({ evictions }) => evictions.byKey(''), /byKey\(""\)/],
    ['no key', ({ evictions }) => evictions.byKey(undefined as never), /byKey\(undefined\)/],
  ])('rejects %s with an error that names it, and evicts nothing', async (_case, call, message) => {
    const error = await call(library).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(CacheUsageError);
    expect(error).toMatchObject({ code: 'CACHING_USAGE', message: expect.stringMatching(message) as string });
    expect(library.events.filter(({ type }) => type === 'evicted')).toEqual([]);
    expect(await library.evicted(TARGETS)).toEqual([]);
  });
});
