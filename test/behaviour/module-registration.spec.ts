import {
  type CallHandler,
  Controller,
  type DynamicModule,
  Get,
  type INestApplication,
  Inject,
  Injectable,
  Module,
  type NestInterceptor,
  type Type,
} from '@nestjs/common';
import { APP_INTERCEPTOR, ExternalContextCreator } from '@nestjs/core';
import {
  CacheEvictionService,
  CacheView,
  CachingConfigError,
  CachingModule,
  type CachingModuleOptions,
  type CachingOptionsFactory,
} from 'nestjs-caching';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { verdictsOf } from '../support/verdicts.js';

const SETTINGS = Symbol('settings');

@Module({ providers: [{ provide: SETTINGS, useValue: '90s' }], exports: [SETTINGS] })
class SettingsModule {}

@Injectable()
class CachingSettings implements CachingOptionsFactory {
  createCachingOptions(): CachingModuleOptions {
    return { ttl: '90s' };
  }
}

@Injectable()
class ForgetfulSettings {
  createOptions(): CachingModuleOptions {
    return { ttl: '90s' };
  }
}

@Module({ providers: [ForgetfulSettings], exports: [ForgetfulSettings] })
class ForgetfulModule {}

@Module({ providers: [CachingSettings], exports: [CachingSettings] })
class SharedSettingsModule {}

/** Counts the requests that get as far as an interceptor of the application. */
const seen: string[] = [];
class CountingInterceptor implements NestInterceptor {
  constructor(private readonly name: string) {}

  intercept(_context: unknown, next: CallHandler) {
    seen.push(this.name);
    return next.handle();
  }
}
const counting = (name: string) => ({
  provide: APP_INTERCEPTOR,
  useFactory: () => new CountingInterceptor(name),
});

@Controller('books')
class BooksController {
  @Get() @CacheView() list() {
    seen.push('handler');
    return {};
  }
}

describe.each(PLATFORMS)('the module on %s', (platform) => {
  let running: RunningApplication | undefined;

  const start = async (imports: (Type | DynamicModule | Promise<DynamicModule>)[], more: object = {}) => {
    running = await startApplication(platform, {
      caching: false,
      imports,
      controllers: [BooksController],
      ...more,
    });
    return running;
  };

  beforeEach(() => {
    seen.length = 0;
    running = undefined;
  });

  afterEach(() => running?.close());

  it.each<[string, () => DynamicModule]>([
    ['forRoot', () => CachingModule.forRoot({ ttl: '90s' })],
    [
      'forRootAsync with useFactory and what it injects',
      () =>
        CachingModule.forRootAsync({
          imports: [SettingsModule],
          inject: [SETTINGS],
          useFactory: async (ttl: string) => ({ ttl: ttl as '90s' }),
        }),
    ],
    ['forRootAsync with useClass', () => CachingModule.forRootAsync({ useClass: CachingSettings })],
    [
      'forRootAsync with useExisting',
      () => CachingModule.forRootAsync({ imports: [SharedSettingsModule], useExisting: CachingSettings }),
    ],
  ])('takes its options from %s', async (_how, make) => {
    await start([make()]);
    const reply = await running!.request('/books');
    expect(reply.cacheStatus).toBe('nestjs-caching; fwd=uri-miss; stored; ttl=90');
    expect((await running!.request('/books')).verdict).toBe('HIT');
  });

  it('imported in two modules is one: its interceptor, its store, its evictions', async () => {
    const services: CacheEvictionService[] = [];
    const feature = (name: string): DynamicModule => {
      @Injectable()
      class FeatureService {
        constructor(@Inject(CacheEvictionService) evictions: CacheEvictionService) {
          services.push(evictions);
        }
      }
      @Controller(name)
      class FeatureController {
        @Get() @CacheView({ tags: ['shared'] }) list() {
          seen.push(name);
          return {};
        }
      }
      @Module({})
      class FeatureModule {}
      return {
        module: FeatureModule,
        imports: [CachingModule.forRoot({ ttl: '1m' })],
        providers: [FeatureService],
        controllers: [FeatureController],
      };
    };
    await start([feature('a'), feature('b')]);
    expect(running!.logger.warnings).toEqual([]);
    const replies = [
      await running!.request('/a'),
      await running!.request('/a'),
      await running!.request('/b'),
    ];
    expect(replies.map(({ verdict }) => verdict)).toEqual(['MISS', 'HIT', 'MISS']);
    expect(replies[1]?.headerLines.filter((line) => /^x-cache/i.test(line))).toHaveLength(1);
    for (const service of services) {
      await service.byTag('shared');
      expect(await verdictsOf(running!, '/a', '/b', '/a', '/b')).toEqual(['MISS', 'MISS', 'HIT', 'HIT']);
    }
    expect(services).toHaveLength(2);
  });

  it('imported twice with different options fails the start', async () => {
    const starting = start([CachingModule.forRoot({ ttl: '1m' }), CachingModule.forRoot({ ttl: '2m' })]);
    await expect(starting).rejects.toBeInstanceOf(CachingConfigError);
    await expect(starting).rejects.toThrow('different options');
  });

  it('is there anew for each application', async () => {
    await start([CachingModule.forRoot()]);
    expect(await verdictsOf(running!, '/books', '/books')).toEqual(['MISS', 'HIT']);
    await running!.close();
    await start([CachingModule.forRoot()]);
    expect(await verdictsOf(running!, '/books', '/books')).toEqual(['MISS', 'HIT']);
  });

  @Module({ providers: [counting('a module')] })
  class CountingModule {}
  @Module({ imports: [CachingModule.forRoot()], providers: [counting('beside')] })
  class CachingWithin {}
  const caching = () => CachingModule.forRoot();
  const later = () => CachingModule.forRootAsync({ useFactory: async () => ({}) });
  it.each<[string, () => (Type | DynamicModule)[]]>([
    ['first', () => [caching(), CountingModule]],
    ['last', () => [CountingModule, caching()]],
    ['last, with a promise of options', () => [CountingModule, later()]],
    ['in a module of the application', () => [CountingModule, CachingWithin]],
  ])('is outermost, registered %s: on a hit nothing else runs', async (_where, imports) => {
    await start(imports(), {
      providers: [counting('the root')],
      setUp: (app: INestApplication) =>
        void app.useGlobalInterceptors(new CountingInterceptor('the application')),
    });
    expect((await running!.request('/books')).verdict).toBe('MISS');
    expect(seen).toEqual(expect.arrayContaining(['handler', 'a module', 'the root', 'the application']));
    const after = seen.length;
    expect((await running!.request('/books')).verdict).toBe('HIT');
    expect(seen).toHaveLength(after);
  });

  it('without forRoot() says what to write', async () => {
    await expect(start([CachingModule])).rejects.toThrow(
      /^CachingModule: .*without options.* allowed: CachingModule\.forRoot\(\)/,
    );
  });

  it.each<[string, object, string]>([
    ['nothing', {}, 'option "useFactory" is undefined; allowed: one of useFactory, useClass and useExisting'],
    ['a class that is not loaded yet', { useClass: undefined }, 'option "useClass" is undefined; allowed:'],
    ['options in place of a factory', { useFactory: { ttl: '1m' } }, 'option "useFactory" is an object'],
    [
      'two of them',
      { useFactory: () => ({}), useClass: CachingSettings },
      'option "useClass" is given beside useFactory; allowed: one of the two',
    ],
    [
      'an option beside the factory',
      { ttl: '1m', useFactory: () => ({}) },
      'option "ttl" is misplaced (the factory returns it)',
    ],
    [
      'isGlobal',
      { isGlobal: true, useFactory: () => ({}) },
      'option "isGlobal" is needless (the module is global)',
    ],
    ['useValue', { useValue: {} }, 'option "useValue" is unknown; allowed: one of imports, inject'],
  ])('forRootAsync() with %s says what to write', (_what, given, told) => {
    const register = () => CachingModule.forRootAsync(given);
    expect(register).toThrow(CachingConfigError);
    expect(register).toThrow(told);
  });

  it.each<[string, object, string]>([
    ['dashboard', { dashboard: true }, 'option "dashboard" is misplaced (it stands beside the factory)'],
    ['isGlobal', { isGlobal: true }, 'option "isGlobal" is needless (the module is global)'],
  ])('a factory that returns %s says where that stands', async (_what, given, told) => {
    await expect(start([CachingModule.forRootAsync({ useFactory: () => given })])).rejects.toThrow(told);
  });

  it.each<[string, (source: Type) => object]>([
    ['useClass', (source) => ({ useClass: source })],
    ['useExisting', (source) => ({ imports: [ForgetfulModule], useExisting: source })],
  ])('a class given as %s that makes no options is named, and what it lacks', async (field, given) => {
    const starting = start([CachingModule.forRootAsync(given(ForgetfulSettings))]);
    await expect(starting).rejects.toThrow(CachingConfigError);
    await expect(starting).rejects.toThrow(
      `CachingModule.forRootAsync(): option "${field}" is ForgetfulSettings, which has no method ` +
        'createCachingOptions(); allowed: what has createCachingOptions(), which returns the options',
    );
  });

  it('a class may make its options by a property, and what it throws stays its own', async () => {
    class Arrow {
      createCachingOptions = () => ({ ttl: '90s' }) as const;
    }
    await start([CachingModule.forRootAsync({ useClass: Arrow })]);
    expect((await running!.request('/books')).verdict).toBe('MISS');
    await running!.close();
    class Failing {
      createCachingOptions(): CachingModuleOptions {
        throw new Error('no settings today');
      }
    }
    await expect(start([CachingModule.forRootAsync({ useClass: Failing })])).rejects.toThrow(
      /^no settings today$/,
    );
    running = undefined;
  });

  it('a factory that returns nothing says so', async () => {
    const nothing = CachingModule.forRootAsync({ useFactory: () => undefined as never });
    await expect(start([nothing])).rejects.toThrow('its factory returned none; allowed: CachingModule');
  });

  it('switched off reads, stores and tells nothing, and leaves services usable', async () => {
    await start([CachingModule.forRoot({ enabled: false })]);
    expect(await verdictsOf(running!, '/books', '/books')).toEqual([undefined, undefined]);
    expect(seen).toEqual(['handler', 'handler']);
    const evictions = running!.app.get(CacheEvictionService);
    await expect(evictions.byTag('books')).resolves.toMatchObject({ stamp: expect.any(Number) as number });
    await expect(evictions.all()).resolves.toBeDefined();
    await expect(evictions.keyFor(BooksController, 'list', { url: '/books' })).resolves.toContain('list');
  });

  it('with debugHeaders: false caches without a word', async () => {
    await start([CachingModule.forRoot({ debugHeaders: false })]);
    for (let round = 0; round < 2; round++) {
      const { headers } = await running!.request('/books');
      expect([headers['x-cache'], headers['cache-status']]).toEqual([undefined, undefined]);
    }
    expect(seen).toEqual(['handler']);
  });

  it.each(['graphql', 'rpc', 'ws'])('lets calls that are not HTTP pass: %s', async (type) => {
    await start([CachingModule.forRoot({ cacheAll: true })]);
    const controller = running!.app.get(BooksController);
    const call = running!.app.get(ExternalContextCreator, { strict: false }).create(
      controller,
      // oxlint-disable-next-line typescript/unbound-method -- as Nest's GraphQL module passes it
      controller.list,
      'list',
      undefined,
      undefined,
      undefined,
      undefined,
      { guards: true, interceptors: true, filters: true },
      type,
    ) as () => Promise<unknown>;
    expect([await call(), await call()]).toEqual([{}, {}]);
    expect(seen).toEqual(['handler', 'handler']);
  });
});
