import type { EvictionSource, PastFill } from '../cache/history.js';
import type { BypassReason } from '../cache/reasons.js';
import type { KeyPart } from './key-builder.js';
import type { PolicyField } from './policy-origin.js';
import type { RequestDescription } from './request-description.js';

/** A request as `CacheInspector.explain` takes it. */
export interface ExplainRequest extends RequestDescription {
  /** Default `GET`. */
  readonly method?: string;
}

/** A tag as people know it, rather than as it is stored. */
export interface ExplainedTag {
  readonly kind: 'tag' | 'route' | 'path' | 'prefix' | 'key' | 'all';
  readonly name: string;
  /** When in the sequence of evictions it was last evicted; nothing where it never was, or that is not known. */
  readonly stamp: number | undefined;
}

/** What is stored, without its body. */
export interface ExplainedEntry {
  readonly status: number;
  /** Of the body. */
  readonly bodyBytes: number;
  /** As the memory store counts it. */
  readonly bytes: number;
  readonly ageMs: number;
  /** Until it is no longer fresh; negative where it is not. */
  readonly freshForMs: number;
  /** Where the look-up found it: in this process, or in the shared store. */
  readonly tier: string;
  /** The place in the sequence of evictions at which its handler was started. */
  readonly start: number;
  /** What the handler's side gave it. Values that may be secrets are hidden. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** Why a request like the one described would be a hit, or not. Never holds a body. */
export interface Explanation {
  readonly method: string;
  readonly path: string;
  readonly verdict: 'hit' | 'stale' | 'miss' | 'refresh' | 'bypass' | 'not-cached' | 'no-route' | 'error';
  /** For programs, e.g. `credentials` or `evicted`. */
  readonly reason:
    | BypassReason
    | PastFill['outcome']
    | 'fresh'
    | 'expired'
    | 'never-filled'
    | 'refresh'
    | 'callback'
    | 'no-cache-view'
    | 'decorator'
    | 'disabled'
    | 'no-route';
  /** For people. */
  readonly because: string;
  /** What to change for such requests to be served from the cache. */
  readonly advice: readonly string[];
  /** `BooksController.list`. */
  readonly route?: string;
  /** The route's full path, e.g. `/api/books/:name`. */
  readonly template?: string;
  readonly policy?: readonly PolicyField[];
  readonly key?: readonly KeyPart[];
  readonly tags?: readonly ExplainedTag[];
  readonly entry?: ExplainedEntry;
  readonly lastFill?: PastFill;
  readonly lastEviction?: {
    readonly at: number;
    readonly by: EvictionSource;
    /** Those that the response carries, of what was evicted. */
    readonly tags: readonly ExplainedTag[];
  };
}
