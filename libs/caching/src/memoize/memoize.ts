import 'reflect-metadata';
import { Inject, Optional } from '@nestjs/common';
import { CachingConfigError } from '../caching.errors.js';
import type { Duration } from '../duration.js';
import { countsNoArguments, define, type MemoizeDefinition } from './definition.js';
import { acceptHost, HOST, hostOf, MemoizeHost } from './memoize-host.js';
import { checkMemoizeOptions, type MemoizeOptions } from './memoize-options.js';
import { onlyMemoizer, uncached } from './memoizer.js';

/** Callbacks that are given the result before the arguments. */
type ResultCallback = 'ttl' | 'resultTags' | 'filter';

/** Which callbacks don't take what a method takes and returns. */
type Misfits<O, P extends readonly unknown[], T> = {
  [K in keyof O]-?: O[K] extends (...args: never[]) => unknown
    ? O[K] extends Expected<K, P, T>
      ? never
      : K
    : never;
}[keyof O];

type Expected<K, P extends readonly unknown[], T> = K extends ResultCallback
  ? (result: T, ...args: P) => unknown
  : (...args: P) => unknown;

/** On a method, static or not, that returns a promise and takes the arguments that the options' callbacks take. */
export type MemoizeDecorator<O> = <P extends readonly unknown[], T>(
  target: [Misfits<O, P, T>] extends [never]
    ? object
    : `${Misfits<O, P, T> & string} does not take what the method takes`,
  name: string | symbol,
  descriptor: TypedPropertyDescriptor<(...args: P) => Promise<T>>,
) => void;

/**
 * Remembers what a provider's method resolves to, for each class, method and arguments, in the store of the views and
 * by their rules: one run for any number of concurrent calls, evicted by tag or by `CacheEvictionService.byMemoized`,
 * errors remembered by nobody, a store that fails is a run. Callers get copies, so nobody can change what is stored.
 * The method must return a promise, as a store may be elsewhere.
 *
 * In instances that Nest has made, or that are provided, in an application with `CachingModule`, once it has started;
 * elsewhere the method runs uncached.
 *
 * @param options a time to live (milliseconds, or `'30s'`, `'5m'`, …), or an object; default: the module's `ttl`
 * @throws CachingConfigError for options that can't work, when the class is defined
 * @example
 * @Memoize('10m')
 * async statistics(language: string): Promise<Statistics> {}
 *
 * @example
 * @Memoize({ ttl: '1h', tags: (id: string) => [`author:${id}`], filter: (author: Author | null) => author !== null })
 * async author(id: string): Promise<Author | null> {}
 */
export function Memoize<const O extends MemoizeOptions<never[], never>>(
  options: Duration | O = {} as O,
): MemoizeDecorator<O> {
  return (given, name, descriptor) => {
    const target = given as object;
    const isStatic = typeof target === 'function';
    const owner: object = isStatic ? target : target.constructor;
    const label = `${(owner as { name: string }).name}.${String(name)}`;
    const run: unknown = descriptor.value;
    if (typeof run !== 'function')
      throw new CachingConfigError(
        'method',
        'no method',
        'a method that returns a promise',
        `@Memoize of ${label}`,
      );
    const definition = makeDefinition(
      {
        kind: isStatic ? 'static' : 'method',
        owner,
        method: String(name),
        label,
        run: run as MemoizeDefinition['run'],
      },
      options as unknown as Duration | MemoizeOptions,
    );
    const wrapper = function (this: unknown, ...args: unknown[]): Promise<unknown> {
      const memoizer = isStatic ? onlyMemoizer() : hostOf(this)?.memoizer;
      if (memoizer === undefined) return uncached(definition, this, args);
      const on: unknown = isStatic ? this : (this as object).constructor;
      return memoizer.call(definition, this, typeof on === 'function' ? on : owner, args);
    };
    disguise(wrapper, run);
    define(wrapper, target, definition);
    if (!isStatic) askForHost(target);
    descriptor.value = wrapper as never;
  };
}

/** A memoized function: of its first arguments, so that `CacheEvictionService.byMemoized` knows it. */
export type MemoizedFunction<A extends readonly unknown[] = readonly never[], R = unknown> = (
  ...args: A
) => Promise<R>;

/**
 * As `@Memoize`, for a function outside of any class. It belongs to the application that runs in this process; where
 * none does, or several do, it runs uncached.
 *
 * @param fn its name must be its own among the memoized functions of the process; `name` gives it another
 * @throws CachingConfigError for options that can't work, or a name that is taken
 * @example
 * export const rates = memoize(async (currency: string) => fetchRates(currency), { name: 'rates', ttl: '1m' });
 */
export function memoize<F extends (...args: never[]) => unknown>(
  fn: F,
  options: Duration | MemoizeOptions<Parameters<F>, Awaited<ReturnType<F>>> = {},
): MemoizedFunction<Parameters<F>, Awaited<ReturnType<F>>> {
  if (typeof fn !== 'function') throw new CachingConfigError('fn', fn, 'a function', 'memoize()');
  const given = typeof options === 'object' && options !== null ? options.name : undefined;
  const method = given ?? fn.name;
  if (method === '')
    throw new CachingConfigError('name', undefined, 'a name, as the function has none', 'memoize()');
  if (names.has(method))
    throw new CachingConfigError('name', method, 'a name that no other memoized function has', 'memoize()');
  const definition = makeDefinition(
    { kind: 'function', owner: fn, method, label: method, run: fn as unknown as MemoizeDefinition['run'] },
    options as unknown as Duration | MemoizeOptions,
  );
  names.add(method);
  const wrapper = function (this: unknown, ...args: unknown[]): Promise<unknown> {
    const memoizer = onlyMemoizer();
    return memoizer === undefined
      ? uncached(definition, this, args)
      : memoizer.call(definition, this, fn, args);
  };
  disguise(wrapper, fn);
  define(wrapper, fn, definition);
  return wrapper as unknown as MemoizedFunction<Parameters<F>, Awaited<ReturnType<F>>>;
}

const names = new Set<string>();

function makeDefinition(
  site: Omit<MemoizeDefinition, 'options' | 'trimsArguments' | 'last'>,
  given: Duration | MemoizeOptions,
): MemoizeDefinition {
  const options = typeof given === 'object' && given !== null ? { ...given } : { ttl: given };
  const where = site.kind === 'function' ? `memoize() of ${site.label}` : `@Memoize of ${site.label}`;
  checkMemoizeOptions(options, where);
  return { ...site, options, trimsArguments: countsNoArguments(site.run), last: undefined };
}

/** As the original, for those who read its name, how many parameters it has, and what decorators below left on it. */
function disguise(wrapper: object, original: object): void {
  for (const property of ['name', 'length'] as const) {
    const descriptor = Object.getOwnPropertyDescriptor(original, property);
    if (descriptor !== undefined) Object.defineProperty(wrapper, property, descriptor);
  }
  for (const key of Reflect.getMetadataKeys(original) as unknown[])
    Reflect.defineMetadata(key, Reflect.getMetadata(key, original), wrapper);
}

/** Once for a class: Nest gives each of its instances the host of its application, where there is one. */
function askForHost(prototype: object): void {
  if (Object.hasOwn(prototype, HOST)) return;
  acceptHost(prototype);
  Inject(MemoizeHost)(prototype, HOST);
  Optional()(prototype, HOST);
}
