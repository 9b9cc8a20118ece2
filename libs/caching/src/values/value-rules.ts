import { CacheUsageError, describe } from '../caching.errors.js';
import { DURATION_RULE, type Duration, toMilliseconds } from '../duration.js';
import { isTag, MAX_TAGS, TAG_RULE, userTag } from '../http/route-tags.js';

/** How a value is kept. */
export interface ValueOptions {
  /** How long. Default: the module's `ttl`. */
  ttl?: Duration;
  /** Labels to evict by, with `CacheEvictionService.byTag`. At most 256. */
  tags?: readonly string[];
}

/** How a value is kept that is made where there is none. */
export interface GetOrSetOptions extends ValueOptions {
  /** For how long after its `ttl` it is still given, while a new one is made. Default: not at all. */
  staleWhileRevalidate?: Duration;
  /** For how long after its `ttl` it is given where no new one can be made. Default: not at all. */
  staleIfError?: Duration;
}

/** The longest key, in characters: clients may choose what is in keys. */
const MAX_KEY_LENGTH = 4_096;

/** @throws CacheUsageError naming the method */
export function checkKey(method: string, key: unknown): string {
  if (typeof key === 'string' && key !== '' && key.length <= MAX_KEY_LENGTH) return key;
  throw new CacheUsageError(
    `${method}(${describe(key)}); allowed: a key of 1 to ${MAX_KEY_LENGTH} characters`,
  );
}

/** @throws CacheUsageError naming the method */
export function checkTime(
  method: string,
  field: string,
  given: Duration | undefined,
  fallback: number,
): number {
  const time = given === undefined ? fallback : toMilliseconds(given);
  if (time !== undefined) return time;
  throw new CacheUsageError(`${method}: ${field} is ${describe(given)}; allowed: ${DURATION_RULE}`);
}

/** @throws CacheUsageError naming the method */
export function checkTags(method: string, tags: readonly string[] = []): string[] {
  if (Array.isArray(tags) && tags.length <= MAX_TAGS && tags.every(isTag)) return tags.map(userTag);
  throw new CacheUsageError(
    `${method}: tags are ${describe(tags)}; allowed: at most ${MAX_TAGS} ${TAG_RULE}`,
  );
}

/** @throws CacheUsageError naming the method */
export function checkStep(method: string, by: unknown): number {
  if (Number.isSafeInteger(by)) return by as number;
  throw new CacheUsageError(`${method}: by is ${describe(by)}; allowed: a whole number`);
}
