import {
  ConfigurableModuleBuilder,
  type DynamicModule,
  Inject,
  Module,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
  type Provider,
} from '@nestjs/common';
import { isDeepStrictEqual } from 'node:util';
import { CACHE_MANAGER } from '@nestjs/cache-manager';
import {
  ApplicationConfig,
  DiscoveryModule,
  DiscoveryService,
  HttpAdapterHost,
  MetadataScanner,
  ModulesContainer,
} from '@nestjs/core';
import { type Clock, systemClock } from './cache/clock.js';
import { CacheHealth } from './cache-health.js';
import { CacheContext } from './cache-context.js';
import { CacheEvictionService } from './cache-eviction.service.js';
import { CacheInspector } from './cache-inspector.service.js';
import { CacheRoutes } from './cache-routes.service.js';
import { CachingConfigError, InWords } from './caching.errors.js';
import {
  CACHE_CLOCK,
  CACHE_OVERRIDES,
  type CachingModuleExtras,
  type CachingModuleOptions,
  type CachingOverrides,
} from './caching.options.js';
import { checkObject, resolveOptions } from './resolve-options.js';
import { checkAsync, checkSource } from './check-async.js';
import { withDashboard } from './caching.dashboard.js';
import { CachingRuntime } from './caching.runtime.js';
import { SERVICES } from './caching.services.js';
import { MemoizeHost } from './memoize/memoize-host.js';
import { warnOfNeighbours } from './neighbours.js';
import { CacheEvents } from './observe/events.js';
import { CacheValues } from './values/cache-values.service.js';

const runtimes = new WeakMap<ApplicationConfig, CachingRuntime>();
const hosts = new WeakMap<ApplicationConfig, MemoizeHost>();

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<CachingModuleOptions>({ moduleName: 'Caching' })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createCachingOptions')
    .setExtras<CachingModuleExtras>(
      { cacheManager: true, dashboard: false, toolbar: false },
      (definition, { cacheManager = true, dashboard, toolbar }) => {
        if (typeof cacheManager !== 'boolean')
          throw new CachingConfigError('cacheManager', cacheManager, 'a boolean');
        const whole = withDashboard(definition, dashboard, toolbar);
        return {
          ...whole,
          global: true,
          ...(cacheManager && {
            providers: [...(whole.providers ?? []), cacheManagerProvider()],
            exports: [...(whole.exports ?? []), CACHE_MANAGER],
          }),
        };
      },
    )
    .build();

function cacheManagerProvider(): Provider {
  return {
    provide: CACHE_MANAGER,
    inject: [CachingRuntime],
    useFactory: (runtime: CachingRuntime) => runtime.values.manager,
  };
}

const runtimeProvider: Provider = {
  provide: CachingRuntime,
  inject: [
    ApplicationConfig,
    { token: MODULE_OPTIONS_TOKEN, optional: true },
    { token: CACHE_CLOCK, optional: true },
    CACHE_OVERRIDES,
  ],
  useFactory: (
    application: ApplicationConfig,
    configured: CachingModuleOptions | undefined,
    provided: Clock = systemClock,
    overrides: CachingOverrides = {},
  ) => {
    if (configured === undefined)
      throw new CachingConfigError(
        'imports',
        new InWords('CachingModule without options, or its factory returned none'),
        'CachingModule.forRoot() or forRootAsync(), whose factory returns an object',
      );
    const given = overrides.options === undefined ? configured : { ...configured, ...overrides.options };
    const clock = overrides.clock ?? provided;
    const present = runtimes.get(application);
    if (present === undefined) {
      const runtime = new CachingRuntime(resolveOptions(given), clock);
      runtimes.set(application, runtime);
      return runtime;
    }
    if (isSameOptions(present.options.policy, given)) return present;
    throw new CachingConfigError(
      'forRoot',
      new InWords('called twice with different options'),
      'one import of CachingModule, in the root module: it is global',
    );
  },
};

/** One for an application, however often the module is imported; made of nothing, as options may need what needs it. */
const hostProvider: Provider = {
  provide: MemoizeHost,
  inject: [ApplicationConfig],
  useFactory: (application: ApplicationConfig) => {
    const host = hosts.get(application) ?? new MemoizeHost();
    hosts.set(application, host);
    return host;
  },
};

/** Stores keep what tells them apart to themselves: they are the same only where they are one. */
function isSameOptions(one: CachingModuleOptions, other: CachingModuleOptions): boolean {
  return one.store === other.store && isDeepStrictEqual({ ...one }, { ...other });
}

/**
 * Server-side response caching. Import it once, in the root module; it is global.
 *
 * @example
 * @Module({ imports: [CachingModule.forRoot({ ttl: '5m' })] })
 * export class AppModule {}
 *
 * @example
 * CachingModule.forRootAsync({
 *   inject: [ConfigService],
 *   useFactory: (config: ConfigService) => ({ ttl: config.getOrThrow('CACHE_TTL') }),
 * })
 */
@Module({
  imports: [DiscoveryModule],
  providers: [
    { provide: CACHE_OVERRIDES, useValue: {} satisfies CachingOverrides },
    runtimeProvider,
    hostProvider,
    CacheContext as never,
    ...SERVICES,
  ],
  exports: [
    CacheContext as never,
    CacheEvictionService,
    CacheEvents,
    CacheHealth,
    CacheInspector,
    CacheRoutes,
    CacheValues,
    MemoizeHost,
  ],
})
export class CachingModule
  extends ConfigurableModuleClass
  implements OnModuleInit, OnModuleDestroy, OnApplicationShutdown
{
  readonly #isFirst: boolean;

  constructor(
    @Inject(CachingRuntime) private readonly runtime: CachingRuntime,
    @Inject(MemoizeHost) private readonly memoizeHost: MemoizeHost,
    @Inject(ApplicationConfig) private readonly application: ApplicationConfig,
    @Inject(HttpAdapterHost) host: HttpAdapterHost,
    @Inject(DiscoveryService) private readonly discovery: DiscoveryService,
    @Inject(MetadataScanner) private readonly scanner: MetadataScanner,
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
  ) {
    super();
    this.#isFirst = !application.getGlobalInterceptors().includes(runtime.http.interceptor);
    if (!this.#isFirst) return;
    // In the constructor, as this comes before every APP_INTERCEPTOR and `app.useGlobalInterceptors`: outermost.
    application.useGlobalInterceptors(runtime.http.interceptor);
    // Emits at once where the adapter is there, or when a test creates its application from the compiled module.
    host.init$.subscribe(() => {
      if (host.httpAdapter) runtime.http.useAdapter(host.httpAdapter);
    });
  }

  /**
   * Registers the cache with these options. All are optional.
   *
   * @throws CachingConfigError when the application starts, naming the field
   */
  static override forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    checkObject(options);
    return super.forRoot(options);
  }

  /**
   * As `forRoot`, with options from `useFactory`, `useClass` or `useExisting` (`createCachingOptions()`).
   *
   * @throws CachingConfigError where there is none of these, or what stands beside them belongs elsewhere
   */
  static override forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    const source = checkAsync(options);
    return checkSource(super.forRootAsync(options), source, MODULE_OPTIONS_TOKEN);
  }

  onModuleInit(): void {
    if (!this.#isFirst) return;
    const { application, modules } = this;
    const { applicationId } = modules;
    this.runtime.start(this.discovery, this.scanner, { application, applicationId });
    this.runtime.startMemoizing(this.discovery, this.memoizeHost);
    warnOfNeighbours(this.discovery, this.scanner, (message) => this.runtime.logger.warn(message));
  }

  async onModuleDestroy(): Promise<void> {
    if (!this.#isFirst) return;
    this.runtime.end();
    await this.runtime.endBackground();
  }

  async onApplicationShutdown(): Promise<void> {
    if (!this.#isFirst) return;
    this.memoizeHost.memoizer = undefined;
    await this.runtime.close();
  }
}
