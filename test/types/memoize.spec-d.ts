import { type CacheValues, Memoize, memoize, type MemoizeOptions } from 'nestjs-caching';
import { describe, expectTypeOf, it } from 'vitest';

interface Book {
  readonly title: string;
}

describe('the types of memoized functions', () => {
  it('take methods that return promises, with callbacks that take their arguments', () => {
    class Service {
      @Memoize()
      async none(): Promise<void> {}

      @Memoize('1m')
      async duration(_id: string, _page?: number): Promise<Book[]> {
        return [];
      }

      @Memoize({
        ttl: ({ title }: Book) => (title === '' ? '1s' : undefined),
        tags: (id: string) => [id],
        key: (id: string, page?: number) => [id, page],
        resultTags: (book: Book, id: string) => [book.title, id],
        filter: (book: Book | null) => book !== null,
        unless: () => false,
      })
      async callbacks(_id: string, _page?: number): Promise<Book> {
        return { title: '' };
      }

      @Memoize({ tags: (...ids: string[]) => ids })
      async rest(..._ids: string[]): Promise<number> {
        return 1;
      }

      @Memoize({ tags: ['a'] })
      static async ofClass(_id: number): Promise<number> {
        return 1;
      }
    }
    expectTypeOf<Service['duration']>().toEqualTypeOf<(id: string, page?: number) => Promise<Book[]>>();
  });

  it('refuse methods that answer at once, and callbacks that take something else', () => {
    class Service {
      // @ts-expect-error a store may be elsewhere, so the result is a promise
      @Memoize()
      atOnce(): number {
        return 1;
      }

      // @ts-expect-error the argument is a text
      @Memoize({ tags: (id: number) => [String(id)] })
      async argument(_id: string): Promise<number> {
        return 1;
      }

      // @ts-expect-error there is no second argument
      @Memoize({ key: (id: string, page: number) => [id, page] })
      async missing(_id: string): Promise<number> {
        return 1;
      }

      // @ts-expect-error the result is a number
      @Memoize({ filter: (result: string) => result !== '' })
      async result(_id: string): Promise<number> {
        return 1;
      }

      // @ts-expect-error no such option
      @Memoize({ time: '1m' })
      async option(): Promise<number> {
        return 1;
      }

      // @ts-expect-error a unit is missing
      @Memoize('5')
      async duration(): Promise<number> {
        return 1;
      }
    }
    expectTypeOf<Service>().toBeObject();
  });

  it('make a function asynchronous, with callbacks that know its arguments', () => {
    const length = memoize((text: string, times = 1) => text.length * times, {
      name: 'length',
      tags: (text, times) => [text, String(times)],
      filter: (result) => result > 0,
    });
    expectTypeOf(length).toEqualTypeOf<(text: string, times?: number) => Promise<number>>();
    const book = memoize(async (title: string): Promise<Book> => ({ title }), { name: 'book' });
    expectTypeOf(book).toEqualTypeOf<(title: string) => Promise<Book>>();
    // @ts-expect-error the argument is a text
    memoize((text: string) => text, { name: 'wrong', tags: (id: number) => [String(id)] });
    expectTypeOf<MemoizeOptions['freeze']>().toEqualTypeOf<boolean | undefined>();
  });
});

describe('the types of values', () => {
  it('are what the caller says, and what a factory makes', () => {
    const use = async (values: CacheValues) => {
      expectTypeOf(await values.get<Book>('a')).toEqualTypeOf<Book | undefined>();
      expectTypeOf(await values.get('a')).toBeUnknown();
      expectTypeOf(await values.getMany<number>(['a'])).toEqualTypeOf<(number | undefined)[]>();
      expectTypeOf(await values.getOrSet('a', async () => ({ title: 'a' }))).toEqualTypeOf<{
        title: string;
      }>();
      expectTypeOf(await values.inc('a')).toBeNumber();
      // @ts-expect-error counters have no tags
      await values.inc('a', 1, { tags: ['x'] });
      // @ts-expect-error a unit is missing
      await values.set('a', 1, { ttl: '5' });
    };
    expectTypeOf(use).toBeFunction();
  });
});
