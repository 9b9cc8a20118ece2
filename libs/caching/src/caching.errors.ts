import type { StampPosition } from './cache/stamps.js';

/**
 * Every error this library throws. `code` is stable and meant for programs; the message is meant for the
 * person who has to act on it.
 */
export type CachingErrorCode = 'CACHING_CONFIG' | 'CACHING_CALLBACK' | 'CACHING_USAGE' | 'CACHING_STORE';

/** What all errors of this library have in common: `catch (e) { if (e instanceof CachingError) e.code }`. */
export abstract class CachingError extends Error {
  abstract readonly code: CachingErrorCode;

  override get name(): string {
    return this.constructor.name;
  }
}

/** What was found, told in words, where it is no value or one that must not be shown. */
export class InWords {
  constructor(readonly text: string) {}
}

/**
 * An option or a decorator that can't work, found when the application starts.
 *
 * @example
 * new CachingConfigError('ttl', 0, "a duration between 1 ms and '365d'");
 * // CachingModule option "ttl" is 0; allowed: a duration between 1 ms and '365d'
 */
export class CachingConfigError extends CachingError {
  readonly code = 'CACHING_CONFIG';
  /**
   * The value found there, unless there is none or it is a URL with credentials. Not among what an uncaught error prints of itself: it may
   * hold a password.
   */
  declare readonly given: unknown;

  /**
   * @param field the option as the user wrote it, e.g. `memory.maxBytes`
   * @param given the value found there
   * @param allowed what would be accepted
   * @param where who holds the option; default the module
   */
  constructor(
    readonly field: string,
    given: unknown,
    readonly allowed: string,
    where = 'CachingModule',
  ) {
    super(`${where}: option "${field}" is ${describe(given)}; allowed: ${allowed}`);
    const value = hasCredentials(given) || given instanceof InWords ? undefined : given;
    Object.defineProperty(this, 'given', { value, enumerable: false });
  }
}

/**
 * A callback that the user wrote (`key`, `scope`, `unless`, `refresh`, `tags`, `filter`, `when`, `principal`)
 * threw, rejected, or returned something that can't be used. It surfaces as the request's error (a 500, with the
 * original as `cause`): caching that silently turned itself off would be found by nobody.
 */
export class CacheCallbackError extends CachingError {
  readonly code = 'CACHING_CALLBACK';

  constructor(
    readonly callback: string,
    readonly route: string,
    problem: string,
    options?: ErrorOptions,
  ) {
    super(`The ${callback} callback of ${route} ${problem}`, options);
  }
}

/** A call of this library's API that can't be carried out as written, e.g. `byRoute` of an unknown method. */
export class CacheUsageError extends CachingError {
  readonly code = 'CACHING_USAGE';
}

/** A store failed or did not answer in time. Requests see a miss instead; callers of evictions see this. */
export class CacheStoreError extends CachingError {
  readonly code = 'CACHING_STORE';

  constructor(
    readonly operation: string,
    problem: string,
    options?: ErrorOptions,
  ) {
    super(`The cache store's ${operation} ${problem}`, options);
  }

  /** What an operation failed with, as one of these. */
  static from(operation: string, cause: unknown): CacheStoreError {
    if (cause instanceof CacheStoreError) return cause;
    const problem = cause instanceof Error ? `failed: ${cause.message}` : 'failed';
    return new CacheStoreError(operation, problem, { cause });
  }
}

/** An eviction was executed, but may still be lost: it needs no repetition, but `confirm`. */
export class UnconfirmedEvictionError extends CacheStoreError {
  /** @param position the place that it has in the sequence */
  constructor(
    readonly position: StampPosition,
    cause: unknown,
  ) {
    super('evict', `was executed, but may be lost: ${cause instanceof Error ? cause.message : 'unknown'}`, {
      cause,
    });
  }
}

/** Whatever it was meant for: the address of a database, with the password to it. */
function hasCredentials(value: unknown): boolean {
  return typeof value === 'string' && /\/\/[^/]*@/.test(value);
}

/** A value as it may be shown in an error: short, and never an object's insides, which may hold secrets. */
export function describe(value: unknown): string {
  switch (typeof value) {
    case 'string':
      if (hasCredentials(value)) return 'a URL with credentials';
      return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
    case 'function':
      return 'a function';
    case 'object':
      if (value === null) return 'null';
      if (value instanceof InWords) return value.text;
      if (value instanceof Promise) return 'a promise';
      return Array.isArray(value) ? 'an array' : 'an object';
    case 'bigint':
      return `${value}n`;
    default:
      return String(value);
  }
}
