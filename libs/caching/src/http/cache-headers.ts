import type { BypassReason, SkipReason } from '../cache/reasons.js';

/**
 * Why a handler ran (RFC 9211 §2.2): nothing was stored for the request (`uri-miss`), what was is no longer fresh
 * (`stale`), or the request wished for a new response.
 */
export type Forwarded = 'uri-miss' | 'stale' | 'request';

/** Whether a response is stored, and for how long it will be fresh. */
export type Storing =
  { readonly store: true; readonly ttlMs: number } | { readonly store: false; readonly reason: SkipReason };

/** What happened to a request, for the response's debug fields. */
export type Verdict =
  | { readonly kind: 'hit'; readonly ttlMs: number }
  | { readonly kind: 'bypass'; readonly reason: BypassReason }
  /** A request that wants what is stored or nothing, and nothing is. */
  | { readonly kind: 'only-if-cached' }
  /** Given the response of another request's fill. */
  | { readonly kind: 'collapsed' }
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
    case 'bypass':
      return `fwd=${verdict.reason === 'method' ? 'method' : 'bypass'}; detail=${verdict.reason}`;
    case 'only-if-cached':
      // RFC 9211 §2.2: nothing was forwarded.
      return 'detail=only-if-cached';
    case 'collapsed':
      return 'fwd=uri-miss; collapsed';
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
  return kind === 'bypass' ? 'BYPASS' : 'MISS';
}
