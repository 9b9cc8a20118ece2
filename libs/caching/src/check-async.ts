import type { ConfigurableModuleAsyncOptions, DynamicModule, FactoryProvider } from '@nestjs/common';
import { CachingConfigError, InWords } from './caching.errors.js';
import type { CachingModuleExtras, CachingModuleOptions, CachingOptionsFactory } from './caching.options.js';
import { checkNames } from './check-names.js';
import { OPTION_NAMES } from './resolve-options.js';

const FIELDS: Readonly<
  Record<keyof ConfigurableModuleAsyncOptions<CachingModuleOptions> | keyof CachingModuleExtras, true>
> = {
  imports: true,
  inject: true,
  provideInjectionTokensFrom: true,
  useFactory: true,
  useClass: true,
  useExisting: true,
  cacheManager: true,
  dashboard: true,
  toolbar: true,
};

const SOURCES = ['useFactory', 'useClass', 'useExisting'] as const;
type Source = (typeof SOURCES)[number];

const ELSEWHERE = {
  ...Object.fromEntries(OPTION_NAMES.map((name) => [name, 'misplaced (the factory returns it)'])),
  isGlobal: 'needless (the module is global)',
};

const WHERE = 'CachingModule.forRootAsync()';

/**
 * Nest takes what it knows and is silent about the rest: a `ttl` beside `useFactory` would do nothing.
 *
 * @returns which of the three the options come from
 * @throws CachingConfigError naming the field
 */
export function checkAsync(given: object): Source {
  if (typeof given !== 'object' || given === null)
    throw new CachingConfigError('options', given, 'an object', WHERE);
  checkNames(given, FIELDS, WHERE, '', ELSEWHERE);
  const options: Partial<Record<string, unknown>> = { ...given };
  const [source, another] = SOURCES.filter((name) => options[name] !== undefined);
  if (source === undefined) {
    // Somebody wrote it: what it should be is not there yet.
    const written = SOURCES.find((name) => name in options);
    const rule = 'one of useFactory, useClass and useExisting';
    if (written === undefined) throw new CachingConfigError('useFactory', undefined, rule, WHERE);
    throw new CachingConfigError(
      written,
      undefined,
      `${rule}; what is undefined here is often exported by a file that imports this one`,
      WHERE,
    );
  }
  if (another !== undefined)
    throw new CachingConfigError(another, new InWords(`given beside ${source}`), 'one of the two', WHERE);
  if (source !== 'useExisting' && typeof options[source] !== 'function')
    throw new CachingConfigError(
      source,
      options[source],
      source === 'useFactory' ? 'a function' : 'a class',
      WHERE,
    );
  return source;
}

/**
 * The module that Nest has made, whose options are asked of what `useClass` or `useExisting` provides only where that can
 * make some. Its instance tells: a token need not be a class, and a property may be the method.
 *
 * @param options the token of the options
 */
export function checkSource(module: DynamicModule, source: Source, options: unknown): DynamicModule {
  if (source === 'useFactory') return module;
  const providers = module.providers?.map((provider) =>
    isFactoryOf(provider, options)
      ? {
          ...provider,
          useFactory: (made: unknown) => {
            if (makesOptions(made)) return made.createCachingOptions();
            throw new CachingConfigError(source, notMaking(made), MAKING, WHERE);
          },
        }
      : provider,
  );
  return providers === undefined ? module : { ...module, providers };
}

const MAKING = 'what has createCachingOptions(), which returns the options';

function isFactoryOf(provider: unknown, token: unknown): provider is FactoryProvider {
  return typeof provider === 'object' && (provider as FactoryProvider).provide === token;
}

function makesOptions(source: unknown): source is CachingOptionsFactory {
  return (
    typeof (source as Partial<CachingOptionsFactory> | null | undefined)?.createCachingOptions === 'function'
  );
}

function notMaking(source: unknown): unknown {
  if (typeof source !== 'object' || source === null) return source;
  const { constructor } = source as { readonly constructor?: unknown };
  const name = typeof constructor === 'function' && constructor !== Object ? constructor.name : 'an object';
  return new InWords(`${name}, which has no method createCachingOptions()`);
}
