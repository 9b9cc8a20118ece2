import type { DynamicModule } from '@nestjs/common';
import { describe, expectTypeOf, it } from 'vitest';
import {
  CacheContext,
  CacheEvict,
  type CacheEvictOptions,
  type CacheEvent,
  type CacheEvents,
  CacheEvictionService,
  CacheView,
  type CacheViewOptions,
  CachingConfigError,
  CachingError,
  CachingModule,
  type CachingModuleOptions,
  type CachingOptionsFactory,
  custom,
  type Duration,
  type EvictionReceipt,
  formBody,
  headers,
  host,
  jsonBody,
  type KeyStrategy,
  memory,
  NoCache,
  path,
  query,
  type RequestView,
} from 'nestjs-caching';

class BooksController {
  list(): string[] {
    return [];
  }
}

class Factory implements CachingOptionsFactory {
  createCachingOptions(): CachingModuleOptions {
    return { ttl: '1m' };
  }
}

describe('Duration', () => {
  it('takes milliseconds and a number with its unit', () => {
    expectTypeOf<1500 | '500ms' | '30s' | '5m' | '2h' | '1d' | '1.5h'>().toExtend<Duration>();
  });

  it('refuses text without a unit, unknown units and bare words', () => {
    expectTypeOf<'5'>().not.toExtend<Duration>();
    expectTypeOf<'5 minutes'>().not.toExtend<Duration>();
    expectTypeOf<'5w'>().not.toExtend<Duration>();
    expectTypeOf<'soon'>().not.toExtend<Duration>();
    expectTypeOf<string>().not.toExtend<Duration>();
    expectTypeOf<bigint | null | Date>().not.toExtend<Duration>();
  });
});

describe('CachingModule', () => {
  it('takes every option by itself, or none', () => {
    expectTypeOf(CachingModule.forRoot()).toEqualTypeOf<DynamicModule>();
    CachingModule.forRoot({ ttl: '5m' });
    CachingModule.forRoot({ namespace: 'shop', enabled: false, cacheAll: true, cacheManager: false });
    CachingModule.forRoot({ memory: { maxBytes: 1_000_000 }, maxEntryBytes: 65_536, version: '2' });
    CachingModule.forRoot({
      store: memory(),
      storeTimeout: '50ms',
      coalesceTimeout: '10s',
      debugHeaders: false,
    });
    CachingModule.forRoot({ credentialCookies: '*', principal: ({ user }) => user, scope: 'public' });
    CachingModule.forRoot({
      credentialCookies: ['sid'],
      scope: ({ headers: given }) => given['x-account'] as string,
    });
    CachingModule.forRoot({ statuses: { 200: '5m', 404: '5s' }, filter: ({ status }) => status === 200 });
  });

  it('refuses wrong types and unknown names', () => {
    // @ts-expect-error: a unit is missing
    CachingModule.forRoot({ ttl: '5' });
    // @ts-expect-error: a typing mistake
    CachingModule.forRoot({ tll: '5m' });
    // @ts-expect-error: text instead of yes or no
    CachingModule.forRoot({ enabled: 'yes' });
    // @ts-expect-error: neither all cookies nor a list
    CachingModule.forRoot({ credentialCookies: 'sid' });
    // @ts-expect-error: an unknown scope
    CachingModule.forRoot({ scope: 'private' });
    // @ts-expect-error: a time per status is a duration
    CachingModule.forRoot({ statuses: { 404: 'soon' } });
    // @ts-expect-error: bounds are numbers
    CachingModule.forRoot({ memory: { maxBytes: '64MB' } });
  });

  it('takes options later, from a function or a class', () => {
    const options: CachingModuleOptions = { ttl: 60_000 };
    CachingModule.forRootAsync({ useFactory: () => options });
    CachingModule.forRootAsync({ inject: ['SETTINGS'], useFactory: async (ttl: Duration) => ({ ttl }) });
    CachingModule.forRootAsync({ useClass: Factory, cacheManager: false });
    CachingModule.forRootAsync({ imports: [], useExisting: Factory });
    // @ts-expect-error: not an option
    CachingModule.forRootAsync({ useFactory: () => ({ ttl: 'soon' }) });
    // @ts-expect-error: a class that makes no options
    CachingModule.forRootAsync({ useClass: BooksController });
  });
});

describe('decorators', () => {
  it('@CacheView takes nothing, a duration or options', () => {
    expectTypeOf(CacheView).toBeCallableWith();
    expectTypeOf(CacheView).toBeCallableWith('1m');
    expectTypeOf(CacheView).toBeCallableWith(60_000);
    expectTypeOf(CacheView).toBeCallableWith({ ttl: '1m', tags: ['books'], vary: ['accept-language'] });
    expectTypeOf(CacheView()).toEqualTypeOf<ClassDecorator & MethodDecorator>();
    expectTypeOf<CacheViewOptions['inputs']>().toEqualTypeOf<'reviewed' | undefined>();
    // @ts-expect-error: a unit is missing
    CacheView('60');
    // @ts-expect-error: tags are text
    CacheView({ tags: [1] });
    // @ts-expect-error: options of the module alone
    CacheView({ namespace: 'shop' });
    // @ts-expect-error: one argument
    CacheView('1m', { tags: ['books'] });
  });

  it('@CacheView gives its callbacks the request', () => {
    CacheView({
      tags: (request) => {
        expectTypeOf(request).toEqualTypeOf<RequestView>();
        return [`book:${request.params.name}`];
      },
      unless: ({ query: given }) => given.nocache === '1',
      refresh: async ({ headers: given }) => given['x-refresh'] === '1',
      filter: ({ status, headers: sent, body }) => status === 200 && sent !== null && body.length > 0,
    });
    // @ts-expect-error: a yes or a no
    CacheView({ unless: () => 'yes' });
    // @ts-expect-error: a list
    CacheView({ tags: () => 'books' });
  });

  it('@CacheEvict takes tags or options', () => {
    expectTypeOf(CacheEvict('books', 'authors')).toEqualTypeOf<ClassDecorator & MethodDecorator>();
    CacheEvict({ tags: ({ params }) => [`book:${params.name}`], paths: ['/books/:name'], all: false });
    CacheEvict({
      routes: [[BooksController, 'list']],
      when: ({ query: given }) => given.quiet === undefined,
    });
    expectTypeOf<CacheEvictOptions>().not.toExtend<{ ttl?: unknown }>();
    // @ts-expect-error: no such field
    CacheEvict({ tag: 'books' });
    // @ts-expect-error: a controller and a method
    CacheEvict({ routes: [BooksController] });
    // @ts-expect-error: either tags or options
    CacheEvict('books', { all: true });
  });

  it('@NoCache takes nothing', () => {
    expectTypeOf(NoCache).parameters.toEqualTypeOf<[]>();
    expectTypeOf(NoCache()).toEqualTypeOf<ClassDecorator & MethodDecorator>();
  });

  it('CacheContext is a parameter decorator and a provider', () => {
    expectTypeOf(CacheContext()).toEqualTypeOf<ParameterDecorator>();
    expectTypeOf<InstanceType<typeof CacheContext>>().toEqualTypeOf<CacheContext>();
    expectTypeOf<CacheContext['ttl']>().parameters.toEqualTypeOf<[Duration]>();
    expectTypeOf<CacheContext['tag']>().toEqualTypeOf<(...tags: readonly string[]) => void>();
  });
});

describe('keys', () => {
  it('every strategy fits, alone or in a list', () => {
    expectTypeOf(path()).toExtend<KeyStrategy>();
    expectTypeOf(query({ ignore: ['utm_source'], sortRepeated: true })).toExtend<KeyStrategy>();
    expectTypeOf(jsonBody({ include: ['text'], maxBytes: 1024 })).toExtend<KeyStrategy>();
    expectTypeOf(formBody()).toExtend<KeyStrategy>();
    expectTypeOf(headers('accept-language', 'accept')).toExtend<KeyStrategy>();
    expectTypeOf(host({ allow: ['shop.example'] })).toExtend<KeyStrategy>();
    expectTypeOf(custom(({ params }) => params.slug)).toExtend<KeyStrategy>();
    CacheView({ key: [query(), headers('accept')] });
    CacheView({ key: ({ params }) => params.slug });
    // @ts-expect-error: a strategy, not its name
    CacheView({ key: 'query' });
    // @ts-expect-error: hosts come from a list
    host();
  });
});

describe('eviction and events', () => {
  it('every eviction resolves to a receipt', () => {
    const byTag = (evictions: CacheEvictionService) => [
      evictions.byTag('books', 'authors'),
      evictions.byTag('books', { soft: true }),
    ];
    expectTypeOf(byTag).returns.items.resolves.toEqualTypeOf<EvictionReceipt>();
    for (const method of ['byPath', 'byPrefix', 'byKey', 'byRoute', 'all'] as const) {
      expectTypeOf<CacheEvictionService[typeof method]>().returns.resolves.toEqualTypeOf<EvictionReceipt>();
    }
    expectTypeOf<CacheEvictionService['keyFor']>().returns.resolves.toBeString();
    expectTypeOf<EvictionReceipt>().toExtend<{ readonly stamp: number }>();
  });

  it('events are one union, told apart by type', () => {
    expectTypeOf<Parameters<Parameters<CacheEvents['on']>[0]>[0]>().toEqualTypeOf<CacheEvent>();
    expectTypeOf<Extract<CacheEvent, { type: 'hit' }>>().toHaveProperty('ageMs');
  });

  it('errors share a base with a code', () => {
    expectTypeOf<CachingConfigError>().toExtend<CachingError>();
    expectTypeOf<CachingError>().toExtend<Error>();
    expectTypeOf<CachingConfigError['code']>().toEqualTypeOf<'CACHING_CONFIG'>();
  });
});
