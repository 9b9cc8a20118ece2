import type { SkipReason } from '../cache/reasons.js';
import type { LookupEvent } from './cache-event.js';

/** The run of a handler that fills the cache, as a tracing system sees it. */
export interface FillSpan {
  /** What `work` starts belongs to the span. */
  run<T>(work: () => T): T;
  /** @param reason why the response was not stored; nothing where it was, or where there was none */
  end(stored: boolean, reason: SkipReason | undefined): void;
}

/** Follows look-ups and fills in a tracing system; made by `openTelemetryTracing()`. */
export interface CacheTracer {
  /** The store was asked; told within the request, when it has answered. */
  lookup(event: LookupEvent): void;
  /** A handler is about to run. */
  fill(route: string): FillSpan;
}
