import type { BypassReason, SkipReason } from '../cache/reasons.js';
import type { StaleReason } from '../observe/cache-event.js';

/**
 * Why a handler ran (RFC 9211 §2.2): nothing was stored for the request (`uri-miss`), or only other variants of it
 * (`vary-miss`), what was is no longer fresh (`stale`), or the request wished for a new response.
 */
export type Forwarded = 'uri-miss' | 'vary-miss' | 'stale' | 'request';

/** Whether a response is stored, and for how long it will be fresh. */
export type Storing =
  { readonly store: true; readonly ttlMs: number } | { readonly store: false; readonly reason: SkipReason };

/** Why what is no longer fresh answers: for `max-stale` of the request there is no word. */
export type StaleDetail = Exclude<StaleReason, 'request'>;

const DETAILS: Readonly<Record<StaleDetail, string>> = {
  'while-revalidate': 'stale-while-revalidate',
  'if-error': 'stale-if-error',
  timeout: 'soft-timeout',
};

/** What happened to a request, for the response's debug fields. */
export type Verdict =
  | { readonly kind: 'hit'; readonly ttlMs: number }
  /** Not fresh enough, and fresh again as the route's validator said that it holds. */
  | { readonly kind: 'revalidated'; readonly ttlMs: number; readonly fwd: Forwarded }
  /** Not fresh any more; `fwd` where a handler was asked first. */
  | {
      readonly kind: 'stale';
      readonly ttlMs: number;
      readonly reason: StaleDetail;
      readonly fwd?: { readonly status: number | undefined } | undefined;
    }
  | { readonly kind: 'bypass'; readonly reason: BypassReason }
  /** A request that wants what is stored or nothing, and nothing is. */
  | { readonly kind: 'only-if-cached' }
  /** Given the response of another request's fill. */
  | { readonly kind: 'collapsed'; readonly fwd: Forwarded }
  /** The handler ran; `storing` is unknown where the head leaves before the body is complete. */
  | {
      readonly kind: 'fill';
      readonly fwd: Forwarded;
      readonly storing: Storing | undefined;
      /** Of the handler's response, where its client is sent another one, such as a 304 in its place. */
      readonly status?: number | undefined;
    };

/** Names and values of fields that the cache adds to a response, flat. */
export type VerdictFields = readonly string[];

const CACHE = 'nestjs-caching';

/** `Cache-Status` (RFC 9211) and the `X-Cache` that people grep for. */
export function verdictFields(verdict: Verdict): VerdictFields {
  return ['Cache-Status', `${CACHE}; ${statusOf(verdict)}`, 'X-Cache', xCache(verdict)];
}

/** RFC 9211 §2. `key` is left out: keys tell who asked for what. */
function statusOf(verdict: Verdict): string {
  switch (verdict.kind) {
    case 'hit':
      return `hit; ttl=${Math.ceil(verdict.ttlMs / 1000)}`;
    case 'revalidated':
      // §2.3: as a server answers that is asked whether a response holds still.
      return `fwd=${verdict.fwd}; fwd-status=304; ttl=${Math.ceil(verdict.ttlMs / 1000)}; detail=validator`;
    case 'stale': {
      const detail = `detail=${DETAILS[verdict.reason]}`;
      // §2.1: a stale response that is used without going forward is a hit, of negative freshness.
      if (verdict.fwd === undefined) return `hit; ttl=${Math.ceil(verdict.ttlMs / 1000)}; ${detail}`;
      const { status } = verdict.fwd;
      return `fwd=stale${status === undefined ? '' : `; fwd-status=${status}`}; ${detail}`;
    }
    case 'bypass':
      return `fwd=${verdict.reason === 'method' ? 'method' : 'bypass'}; detail=${verdict.reason}`;
    case 'only-if-cached':
      // RFC 9211 §2.2: nothing was forwarded.
      return 'detail=only-if-cached';
    case 'collapsed':
      return `fwd=${verdict.fwd}; collapsed`;
    case 'fill': {
      const { storing, status } = verdict;
      // §2.3: without it, the status of the response is meant.
      const fwd = `fwd=${verdict.fwd}${status === undefined ? '' : `; fwd-status=${status}`}`;
      if (storing === undefined) return fwd;
      return storing.store
        ? `${fwd}; stored; ttl=${Math.ceil(storing.ttlMs / 1000)}`
        : `${fwd}; detail=${storing.reason}`;
    }
  }
}

function xCache({ kind }: Verdict): string {
  if (kind === 'hit') return 'HIT';
  if (kind === 'stale') return 'STALE';
  if (kind === 'revalidated') return 'REVALIDATED';
  return kind === 'bypass' ? 'BYPASS' : 'MISS';
}
