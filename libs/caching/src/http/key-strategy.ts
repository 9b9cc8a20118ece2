import { CachingConfigError } from '../caching.errors.js';
import type { BypassReason } from '../cache/reasons.js';
import type { MaybePromise } from '../cache/maybe-promise.js';
import { type CanonicalLimits, canonicalize, NotCanonical } from './canonical.js';
import { decodeName, queryPairs } from './query-text.js';
import { type RequestView, splitTarget } from './request-view.js';

/** A request that can't be keyed: it bypasses the cache. */
export interface KeyBypass {
  readonly bypass: BypassReason;
}

/** What a key strategy says it covers, for the check at bootstrap (docs/keys.md). */
export interface KeyCoverage {
  /** `true` for all of it, or the names. */
  readonly query?: true | { readonly include?: readonly string[]; readonly ignore?: readonly string[] };
  readonly body?: true | { readonly include?: readonly string[]; readonly ignore?: readonly string[] };
  readonly headers?: readonly string[];
  readonly host?: true;
  /** The author's own function: it counts as covering every input that is declared by name. */
  readonly custom?: true;
}

/** One part of a key. Made by the functions of this file; a plain function of the request works as well. */
export interface NamedKeyStrategy {
  /** As it is written, e.g. `query({"include":["page"]})`. */
  readonly name: string;
  /** `url`: depends on the target alone. `header`: its values are variants of one URL and capped per URL. */
  readonly source: 'url' | 'header' | 'other';
  readonly covers: KeyCoverage;
  part(request: RequestView): MaybePromise<string | KeyBypass>;
}

/**
 * What a response varies on beside its method, route, path and principal, which are always part of the key.
 * A plain function returns a non-empty string, a number, a bigint or a boolean, or a promise of one.
 */
export type KeyStrategy = NamedKeyStrategy | ((request: RequestView) => unknown);

/**
 * The path alone: requests that differ in their query only share a response.
 *
 * @example
 * @CacheView({ key: path() })
 */
export function path(): NamedKeyStrategy {
  return { name: 'path()', source: 'url', covers: {}, part: () => '' };
}

export interface QueryKeyOptions {
  /** Only these parameters count. */
  readonly include?: readonly string[];
  /** These don't count, e.g. `['utm_source']`. */
  readonly ignore?: readonly string[];
  /** Repeated values are sorted too: `a=1&a=2` is `a=2&a=1`. Default false, as a handler sees their order. */
  readonly sortRepeated?: boolean;
}

const MAX_SORTED_PAIRS = 500;

/**
 * The query: the order of names does not matter, repeated values keep theirs, blank differs from absent, and
 * case counts. This is the default.
 *
 * @example
 * @CacheView({ key: query({ ignore: ['nocache'] }) })
 */
export function query(options: QueryKeyOptions = {}): NamedKeyStrategy {
  const { include, ignore, sortRepeated = false } = options;
  rejectBoth('query', include, ignore);
  const names = include && new Set(include);
  const ignored = ignore && new Set(ignore);
  return {
    name: written('query', options),
    source: 'url',
    covers: { query: include || ignore ? { ...(include && { include }), ...(ignore && { ignore }) } : true },
    part(request) {
      const target = splitTarget(request.url);
      if (target.query === '') return '';
      const all = queryPairs(target.query);
      // Parsers stop at a number of parameters (qs and node:querystring at 1,000): what comes first matters there.
      if (all.length > MAX_SORTED_PAIRS) return target.query;
      const pairs = all.filter(({ raw, base }) => {
        if (names !== undefined) return names.has(base) || names.has(decodeName(raw));
        return ignored === undefined || !ignored.has(decodeName(raw));
      });
      // By name only, and stable: pairs that a parser may put into one value keep their order.
      pairs.sort((a, b) => compare(a.base, b.base) || (sortRepeated ? compare(a.raw, b.raw) : 0));
      return pairs.map(({ raw }) => raw).join('&');
    },
  };
}

export interface BodyKeyOptions {
  /** Only these top-level members count. */
  readonly include?: readonly string[];
  /** These top-level members don't count. */
  readonly ignore?: readonly string[];
  /** The longest canonical text of a body, in characters. Default 65,536. A longer one bypasses the cache. */
  readonly maxBytes?: number;
}

const BODY_LIMITS: CanonicalLimits = { maxLength: 65_536, maxDepth: 64 };

/**
 * The JSON body as parsed, before pipes: member order does not matter, array order does. A body that is not JSON,
 * too long or too deep bypasses the cache.
 *
 * @example
 * @Post('search') @CacheView({ key: jsonBody() }) search(@Body() query: SearchDto) {}
 */
export function jsonBody(options: BodyKeyOptions = {}): NamedKeyStrategy {
  return bodyStrategy('jsonBody', /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i, options);
}

/**
 * The fields of an `application/x-www-form-urlencoded` body, as parsed, before pipes. Anything else bypasses.
 *
 * @example
 * @Post('quote') @CacheView({ key: formBody({ ignore: ['csrf'] }) }) quote(@Body() form: QuoteDto) {}
 */
export function formBody(options: BodyKeyOptions = {}): NamedKeyStrategy {
  return bodyStrategy('formBody', /^application\/x-www-form-urlencoded\s*(?:;|$)/i, options);
}

function bodyStrategy(name: string, contentType: RegExp, options: BodyKeyOptions): NamedKeyStrategy {
  const { include, ignore, maxBytes = BODY_LIMITS.maxLength } = options;
  rejectBoth(name, include, ignore);
  if (!Number.isInteger(maxBytes) || maxBytes < 1) {
    throw new CachingConfigError('maxBytes', maxBytes, 'a whole number of at least 1', `${name}()`);
  }
  const limits = { ...BODY_LIMITS, maxLength: maxBytes };
  return {
    name: written(name, options),
    source: 'other',
    covers: { body: include || ignore ? { ...(include && { include }), ...(ignore && { ignore }) } : true },
    part({ headers, body }) {
      if (body === undefined || !contentType.test(headers['content-type'] ?? '')) return { bypass: 'body' };
      try {
        return canonicalize(pick(body, include, ignore), limits);
      } catch (error) {
        if (error instanceof NotCanonical) return { bypass: 'body' };
        throw error;
      }
    },
  };
}

function pick(body: unknown, include?: readonly string[], ignore?: readonly string[]): unknown {
  if ((!include && !ignore) || typeof body !== 'object' || body === null || Array.isArray(body)) return body;
  const kept = Object.entries(body).filter(([name]) =>
    include ? include.includes(name) : !ignore?.includes(name),
  );
  return Object.fromEntries(kept);
}

/** What the names of keyed headers must be, for messages. */
export const FIELD_NAMES_RULE =
  'a list of header names, but "host": a client can send any, so that is host({ allow: [...] })';

export function isFieldName(name: unknown): boolean {
  return (
    typeof name === 'string' && /^[!#$%&'*+.^_`|~0-9a-z-]+$/i.test(name) && name.toLowerCase() !== 'host'
  );
}

/**
 * The values of these request headers. A header that is absent differs from one that is empty.
 *
 * @example
 * @CacheView({ key: [query(), headers('accept-language')] })
 */
export function headers(...names: readonly string[]): NamedKeyStrategy {
  const wanted = names.map((name) => name.toLowerCase()).sort();
  for (const name of wanted) {
    if (!isFieldName(name)) throw new CachingConfigError('headers', name, FIELD_NAMES_RULE, 'headers()');
  }
  return {
    name: `headers(${wanted.map((name) => `'${name}'`).join(', ')})`,
    source: 'header',
    covers: { headers: wanted },
    part: (request) =>
      wanted
        .map((name) => (request.headers[name] === undefined ? '-' : component(String(request.headers[name]))))
        .join(''),
  };
}

/**
 * The `Host` header, for handlers that answer differently by host. One that is not on the list bypasses the cache,
 * so that nobody can fill it with hosts of their own.
 *
 * @example
 * @CacheView({ key: [query(), host({ allow: ['shop.example', 'shop.example:8080'] })] })
 */
export function host({ allow }: { readonly allow: readonly string[] }): NamedKeyStrategy {
  if (!Array.isArray(allow) || allow.length === 0) {
    throw new CachingConfigError('allow', allow, 'the hosts, as a list that is not empty', 'host()');
  }
  const allowed = new Set(allow.map((name) => name.toLowerCase()));
  return {
    name: written('host', { allow }),
    source: 'other',
    covers: { host: true },
    part(request) {
      const name = request.headers.host?.toLowerCase();
      return name !== undefined && allowed.has(name) ? name : { bypass: 'host' };
    },
  };
}

/**
 * The author's own function: a non-empty string, a number, a bigint or a boolean, or a promise of one. It may use
 * only what middleware and guards have set. Anything else it returns fails the request with an error that names
 * the route, as a wrong key would give one client's response to another.
 *
 * @example
 * @CacheView({ key: custom(({ params }) => params.slug.split('-').at(-1)) })
 */
export function custom(part: (request: RequestView) => unknown): NamedKeyStrategy {
  if (typeof part !== 'function') throw new CachingConfigError('part', part, 'a function', 'custom()');
  return {
    name: 'custom(…)',
    source: 'other',
    covers: { custom: true },
    part: part as (request: RequestView) => MaybePromise<string>,
  };
}

function written(name: string, options: object): string {
  return `${name}(${Object.keys(options).length === 0 ? '' : JSON.stringify(options)})`;
}

/** Text that can't run into what follows it: its length stands before it. */
export function component(text: string): string {
  return `${text.length}:${text}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function rejectBoth(strategy: string, include: unknown, ignore: unknown): void {
  for (const [field, value] of [
    ['include', include],
    ['ignore', ignore],
  ] as const) {
    if (value !== undefined && !(Array.isArray(value) && value.every((name) => typeof name === 'string'))) {
      throw new CachingConfigError(field, value, 'a list of names', `${strategy}()`);
    }
  }
  if (include !== undefined && ignore !== undefined) {
    throw new CachingConfigError('ignore', ignore, 'either include or ignore, not both', `${strategy}()`);
  }
}
