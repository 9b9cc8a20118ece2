import { CachingConfigError } from '../caching.errors.js';
import type { BypassReason } from '../cache/reasons.js';
import type { MaybePromise } from '../cache/maybe-promise.js';
import { checkPick, FIELD_NAMES_RULE, isFieldName, written } from './key-options.js';
import { decodeName, isReadTwoWays, queryPairs } from './query-text.js';
import { type RequestCallback, type RequestView, splitTarget } from './request-view.js';
import { hostOf } from './semantics/host.js';

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
export type KeyStrategy = NamedKeyStrategy | RequestCallback<unknown>;

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
 * Whether the order of names can't matter to a parser. Parsers stop at a number of parameters, empty ones included
 * (qs and node:querystring at 1,000), at a `#`, and where a path has a `;` or `#` some see the query begin there.
 */
function isSortable(url: string, text: string): boolean {
  return !/[#;]/.test(url) && text.split('&', MAX_SORTED_PAIRS + 1).length <= MAX_SORTED_PAIRS;
}

/**
 * The query: the order of names does not matter, repeated values keep theirs, blank differs from absent, and
 * case counts (but for the names in `include`, which stand for themselves in any case). This is the default.
 *
 * @example
 * @CacheView({ key: query({ ignore: ['nocache'] }) })
 */
export function query(options: QueryKeyOptions = {}): NamedKeyStrategy {
  checkPick('query()', options, ['sortRepeated']);
  const { include, ignore, sortRepeated = false } = options;
  // In any case, as an application's own parser may fold it: names too many only make keys too many.
  const names = include && new Set(include.map((name) => name.toLowerCase()));
  const ignored = ignore && new Set(ignore);
  return {
    name: written('query', options),
    source: 'url',
    covers: { query: include || ignore ? { ...(include && { include }), ...(ignore && { ignore }) } : true },
    part(request) {
      const target = splitTarget(request.url);
      if (target.query === '') return '';
      // One pair needs no order.
      if (names === undefined && ignored === undefined && !target.query.includes('&')) return target.query;
      if (!isSortable(request.url, target.query)) return target.query;
      const all = queryPairs(target.query);
      if (all.some(({ raw }) => isReadTwoWays(raw))) return target.query;
      const pairs = all.filter(({ raw, base }) => {
        if (names !== undefined)
          return names.has(base.toLowerCase()) || names.has(decodeName(raw).toLowerCase());
        return ignored === undefined || !ignored.has(decodeName(raw));
      });
      // By name only, and stable: pairs that a parser may put into one value keep their order.
      pairs.sort((a, b) => compare(a.base, b.base) || (sortRepeated ? compare(a.raw, b.raw) : 0));
      return pairs.map(({ raw }) => raw).join('&');
    },
  };
}

/**
 * The values of these request headers. A header that is absent differs from one that is empty.
 *
 * @example
 * @CacheView({ key: [query(), headers('accept-language')] })
 */
export function headers(...names: readonly string[]): NamedKeyStrategy {
  const wrong = names.findIndex((name) => !isFieldName(name));
  if (names.length === 0 || wrong !== -1) {
    throw new CachingConfigError('headers', names[wrong], FIELD_NAMES_RULE, 'headers()');
  }
  const wanted = names.map((name) => name.toLowerCase()).sort();
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
export function host(options: { readonly allow: readonly string[] }): NamedKeyStrategy {
  const allow: unknown = (options as typeof options | undefined)?.allow;
  if (!Array.isArray(allow) || allow.length === 0 || !allow.every((name) => typeof name === 'string')) {
    throw new CachingConfigError('allow', allow, 'the hosts, as a list that is not empty', 'host()');
  }
  const allowed = new Set(allow.map((name) => name.toLowerCase()));
  return {
    name: written('host', { allow }),
    source: 'other',
    covers: { host: true },
    part(request) {
      const name = hostOf(request.headers)?.toLowerCase();
      if (name === undefined || !allowed.has(name)) return { bypass: 'host' };
      // Behind a trusted proxy the framework, and so Nest's router, may go by X-Forwarded-Host instead.
      const routed = request.raw.hostname?.toLowerCase() ?? name;
      return routed === name || routed === name.replace(/:\d+$/, '') ? name : { bypass: 'host' };
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
export function custom(part: RequestCallback<unknown>): NamedKeyStrategy {
  if (typeof part !== 'function') throw new CachingConfigError('part', part, 'a function', 'custom()');
  return {
    name: 'custom(…)',
    source: 'other',
    covers: { custom: true },
    part: part as (request: RequestView) => MaybePromise<string>,
  };
}

/** Text that can't run into what follows it: its length stands before it. */
export function component(text: string): string {
  return `${text.length}:${text}`;
}

/** The first `count` components of a text that is made of them. */
export function componentsOf(text: string, count: number): string[] {
  const found: string[] = [];
  let at = 0;
  while (found.length < count) {
    const mark = text.indexOf(':', at);
    if (mark === -1) break;
    const end = mark + 1 + Number(text.slice(at, mark));
    found.push(text.slice(mark + 1, end));
    at = end;
  }
  return found;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
