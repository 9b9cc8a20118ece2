import type { BypassReason, SkipReason } from '../cache/reasons.js';
import type { StoringVerdict } from './response-filter.js';

/** What happened to a request, for the response's debug fields. */
export type Verdict =
  | { readonly kind: 'hit'; readonly ttlMs: number }
  | { readonly kind: 'bypass'; readonly reason: BypassReason }
  /** Given the response of another request's fill. */
  | { readonly kind: 'collapsed' }
  /** The handler ran; `storing` is unknown where the head leaves before the body is complete. */
  | { readonly kind: 'fill'; readonly refresh: boolean; readonly storing: StoringVerdict | undefined };

/** Names and values of the debug fields, flat. */
export type VerdictFields = readonly string[];

const CACHE = 'nestjs-caching';

/** `Cache-Status` (RFC 9211) and the `X-Cache` that people grep for. */
export function verdictFields(verdict: Verdict): VerdictFields {
  return ['Cache-Status', `${CACHE}; ${statusOf(verdict)}`, 'X-Cache', xCache(verdict)];
}

function statusOf(verdict: Verdict): string {
  switch (verdict.kind) {
    case 'hit':
      return `hit; ttl=${Math.ceil(verdict.ttlMs / 1000)}`;
    case 'bypass':
      return `fwd=${verdict.reason === 'method' ? 'method' : 'bypass'}; detail=${verdict.reason}`;
    case 'collapsed':
      return 'fwd=uri-miss; collapsed';
    case 'fill': {
      const fwd = `fwd=${verdict.refresh ? 'request' : 'uri-miss'}`;
      if (verdict.storing === undefined) return fwd;
      return verdict.storing.store
        ? `${fwd}; stored; ttl=${Math.ceil(verdict.storing.ttl / 1000)}`
        : `${fwd}; detail=${verdict.storing.reason satisfies SkipReason}`;
    }
  }
}

function xCache({ kind }: Verdict): string {
  if (kind === 'hit') return 'HIT';
  return kind === 'bypass' ? 'BYPASS' : 'MISS';
}
