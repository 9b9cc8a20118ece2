import type { ConfigurableModuleAsyncOptions } from '@nestjs/common';
import { CachingConfigError, InWords } from './caching.errors.js';
import type { CachingModuleExtras, CachingModuleOptions } from './caching.options.js';
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

const ELSEWHERE = {
  ...Object.fromEntries(OPTION_NAMES.map((name) => [name, 'misplaced (the factory returns it)'])),
  isGlobal: 'needless (the module is global)',
};

const WHERE = 'CachingModule.forRootAsync()';

/**
 * Nest takes what it knows and is silent about the rest: a `ttl` beside `useFactory` would do nothing.
 *
 * @throws CachingConfigError naming the field
 */
export function checkAsync(given: object): void {
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
}
