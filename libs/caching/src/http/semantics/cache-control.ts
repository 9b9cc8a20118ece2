import { type Directive, type DirectiveList, parseDelta, parseDirectives } from './directive-list.js';
import type { FieldValue } from './field-lines.js';

/**
 * What a response says about its caching. Directives that are not here are none of a shared cache's business:
 * `immutable` (RFC 8246) is about reloads by users, and unknown ones are ignored (RFC 9111 §5.2.3).
 *
 * Where the field contradicts itself, what forbids and what is shorter counts: a response that is asked for once
 * too often is slow, one that is kept too long is wrong.
 */
export interface ResponseDirectives {
  /** RFC 9111 §5.2.2.5. */
  readonly noStore: boolean;
  /** RFC 9111 §5.2.2.7, with or without field names, which it allows to be taken for the whole response. */
  readonly isPrivate: boolean;
  /** RFC 9111 §5.2.2.4, with or without field names, which it allows to be taken for the whole response. */
  readonly noCache: boolean;
  /** RFC 9111 §5.2.2.3: `no-store` is meant for caches that don't know the status. */
  readonly mustUnderstand: boolean;
  /** RFC 9111 §5.2.2.6: no content coding may be put on. */
  readonly noTransform: boolean;
  /** RFC 9111 §4.2.4: `must-revalidate`, `proxy-revalidate`, `s-maxage` and `no-cache` forbid serving stale. */
  readonly staleForbidden: boolean;
  /** RFC 9111 §3.5: `public`, `must-revalidate` and `s-maxage` let a response to `Authorization` be shared. */
  readonly sharedDespiteAuthorization: boolean;
  /** Seconds of `s-maxage`, else of `max-age` (RFC 9111 §4.2.1); 0 where the field is there and makes no sense. */
  readonly lifetime: number | undefined;
  /** Seconds (RFC 5861 §3); 0 where the directive is there and makes no sense. */
  readonly staleWhileRevalidate: number | undefined;
  /** Seconds (RFC 5861 §4); 0 where the directive is there and makes no sense. */
  readonly staleIfError: number | undefined;
}

/** Parses a response's `Cache-Control` (RFC 9111 §5.2.2). Never throws. */
export function parseCacheControl(value: FieldValue): ResponseDirectives {
  return value === undefined ? SILENT : readDirectives(parseDirectives(value));
}

/** The meaning of a list of directives, whichever field they came in. */
export function readDirectives({ directives, misquoted }: DirectiveList): ResponseDirectives {
  const all = (name: string) => directives.filter((directive) => directive.name === name);
  const has = (name: string) => all(name).length > 0;
  /** For what permits: a member that is not as it should be permits nothing. */
  const isPlain = (name: string) => !misquoted && has(name) && all(name).every(isBare);
  const seconds = (name: string) => shortest(all(name), misquoted);

  const sMaxage = seconds('s-maxage');
  const noCache = has('no-cache');
  return {
    noStore: has('no-store'),
    isPrivate: has('private'),
    noCache,
    mustUnderstand: isPlain('must-understand'),
    noTransform: has('no-transform'),
    // RFC 9111 §5.2.2.10: s-maxage brings the meaning of proxy-revalidate with it.
    staleForbidden: noCache || has('must-revalidate') || has('proxy-revalidate') || sMaxage !== undefined,
    sharedDespiteAuthorization:
      isPlain('public') || isPlain('must-revalidate') || (sMaxage !== undefined && sMaxage > 0),
    lifetime: sMaxage ?? seconds('max-age'),
    staleWhileRevalidate: seconds('stale-while-revalidate'),
    staleIfError: seconds('stale-if-error'),
  };
}

function isBare({ argument, malformed }: Directive): boolean {
  return argument === undefined && !malformed;
}

/**
 * RFC 9111 §4.2.1: of duplicates the first, or stale; the shortest is never more than the first. Freshness that is
 * not a number of seconds means stale.
 */
function shortest(found: readonly Directive[], misquoted: boolean): number | undefined {
  if (found.length === 0) return undefined;
  if (misquoted) return 0;
  return Math.min(...found.map(({ argument }) => parseDelta(argument) ?? 0));
}

/** Of a response that says nothing, as most don't: worked out once. */
const SILENT = readDirectives(parseDirectives(undefined));
