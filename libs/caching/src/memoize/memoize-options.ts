import { createHash } from 'node:crypto';
import { CachingConfigError } from '../caching.errors.js';
import { checkNames } from '../check-names.js';
import { DURATION_RULE, type Duration, toMilliseconds } from '../duration.js';
import { checkTags } from '../http/tag-options.js';

/**
 * What `@Memoize` and `memoize` take. Callbacks answer at once, as they are asked on hits, and get the arguments that
 * the call was made with; `A` are those, `R` what the function resolves to.
 */
export interface MemoizeOptions<A extends readonly unknown[] = readonly unknown[], R = unknown> {
  /** How long a result is given again, or a function of it (`undefined`: the default). Default: the module's `ttl`. */
  ttl?: Duration | ((result: R, ...args: A) => Duration | undefined);
  /** What calls are told apart by, instead of their arguments: anything that an argument may be. */
  key?: (...args: A) => unknown;
  /** Positions of arguments that don't matter for the result, from 0. */
  ignoreArgs?: readonly number[];
  /** Defaults of parameters by position, so that a call that leaves one out and one that names it share a result. */
  defaults?: Readonly<Record<number, unknown>>;
  /** Labels to evict by, or a function of the arguments. A result with more than 256 is not stored. */
  tags?: readonly string[] | ((...args: A) => readonly string[]);
  /** More of them, that only the result tells. */
  resultTags?: (result: R, ...args: A) => readonly string[];
  /** True: this call neither reads nor writes the cache. */
  unless?: (...args: A) => boolean;
  /** True: this call runs the function, and its result replaces what is stored. */
  refresh?: (...args: A) => boolean;
  /** Keeps only the results for which it returns true. Those who wait are given the others, too. */
  filter?: (result: R, ...args: A) => boolean;
  /** For how long after its `ttl` a result is still given, while the function runs for a new one. Default: the module's. */
  staleWhileRevalidate?: Duration | false;
  /** For how long after its `ttl` a result is given where the function fails. Default: the module's. */
  staleIfError?: Duration | false;
  /** All callers are given one result, frozen, rather than a copy each. Only for plain objects and lists. Default `false`. */
  freeze?: boolean;
  /** The largest result that is stored, in bytes of memory. Default: the module's `maxEntryBytes`. */
  maxEntryBytes?: number;
  /** `'cluster'`: one run per key among all instances, with a shared store. Default: the module's. */
  coalesce?: 'instance' | 'cluster';
  /** Joins the key: another version starts from nothing. */
  version?: string;
  /** What the function is called in keys and events. Default: its class and name. Unique in the application. */
  name?: string;
  /**
   * States that the result depends on the arguments only, so that instances that come one a request, or several of a
   * class, may share it.
   */
  inputs?: 'reviewed';
}

const FIELDS: Readonly<Record<keyof MemoizeOptions, true>> = {
  ttl: true,
  key: true,
  ignoreArgs: true,
  defaults: true,
  tags: true,
  resultTags: true,
  unless: true,
  refresh: true,
  filter: true,
  staleWhileRevalidate: true,
  staleIfError: true,
  freeze: true,
  maxEntryBytes: true,
  coalesce: true,
  version: true,
  name: true,
  inputs: true,
};

/** @throws CachingConfigError where one can't work, naming the function */
export function checkMemoizeOptions(given: MemoizeOptions, where: string): void {
  const refuse = (field: keyof MemoizeOptions, allowed: string): never => {
    throw new CachingConfigError(field, given[field], allowed, where);
  };
  checkNames(given, FIELDS, where);
  const { ttl } = given;
  if (ttl !== undefined && typeof ttl !== 'function' && toMilliseconds(ttl) === undefined)
    refuse('ttl', `${DURATION_RULE}, or a function`);
  checkDuration('staleWhileRevalidate', given.staleWhileRevalidate, where);
  checkDuration('staleIfError', given.staleIfError, where);
  checkTags(given.tags, where);
  for (const field of ['key', 'resultTags', 'unless', 'refresh', 'filter'] as const)
    if (given[field] !== undefined && typeof given[field] !== 'function') refuse(field, 'a function');
  for (const field of ['version', 'name'] as const)
    if (given[field] !== undefined && (typeof given[field] !== 'string' || given[field] === ''))
      refuse(field, 'a non-empty text');
  const { ignoreArgs, defaults, maxEntryBytes } = given;
  if (ignoreArgs !== undefined && !(Array.isArray(ignoreArgs) && ignoreArgs.every(isPosition)))
    refuse('ignoreArgs', 'a list of positions, from 0');
  if (defaults !== undefined && !(isObject(defaults) && Object.keys(defaults).map(Number).every(isPosition)))
    refuse('defaults', 'an object of values by position, from 0');
  if (maxEntryBytes !== undefined && !(Number.isSafeInteger(maxEntryBytes) && maxEntryBytes > 0))
    refuse('maxEntryBytes', 'a whole number of at least 1');
  if (given.freeze !== undefined && typeof given.freeze !== 'boolean') refuse('freeze', 'a boolean');
  if (given.coalesce !== undefined && !['instance', 'cluster'].includes(given.coalesce))
    refuse('coalesce', "'instance' or 'cluster'");
  if (given.inputs !== undefined && given.inputs !== 'reviewed') refuse('inputs', "'reviewed'");
}

/** Of the rules that decide under which key and tags a result was stored: a deploy that changes them misses. */
export function memoizeFingerprint({ key, tags, resultTags, ignoreArgs, defaults }: MemoizeOptions): string {
  const rules = [key, tags, resultTags, ignoreArgs];
  if (defaults === undefined && rules.every((rule) => rule === undefined)) return '';
  const texts = rules.map((rule) =>
    typeof rule === 'function' ? { callback: String(rule) } : (rule ?? null),
  );
  // Which have one, as their values join the key themselves.
  const text = JSON.stringify([...texts, Object.keys(defaults ?? {})]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 11);
}

function checkDuration(field: string, given: unknown, where: string): void {
  if (given !== undefined && given !== false && toMilliseconds(given) === undefined)
    throw new CachingConfigError(field, given, DURATION_RULE, where);
}

function isPosition(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < 256;
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
