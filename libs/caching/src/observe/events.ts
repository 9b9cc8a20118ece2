import { channel } from 'node:diagnostics_channel';
import type { Clock } from '../cache/clock.js';
import type { CacheEvent } from './cache-event.js';
import type { EventCounter } from './event-counter.js';
import type { CacheTracer, FillSpan } from './tracing.js';
import { RequestTrace, type TraceHost } from './request-trace.js';

export type CacheListener = (event: CacheEvent) => void;

/** The name of the channel of `node:diagnostics_channel` on which every `CacheEvent` of this process is published. */
export const CACHE_EVENTS_CHANNEL = 'nestjs-caching:event';

const published = channel(CACHE_EVENTS_CHANNEL);

/**
 * Tells listeners what the cache does. Inject it to log or count.
 *
 * @example
 * constructor(events: CacheEvents) {
 *   events.on((event) => event.type === 'storeError' && this.logger.warn(event.operation));
 * }
 */
export class CacheEvents {
  /** Replaced when it changes: who listens while an event is told hears all of it. */
  #listeners: readonly CacheListener[] = [];
  readonly #onListenerError: (error: unknown) => void;
  readonly #host: TraceHost;
  #requests = 0;
  #tracer: CacheTracer | undefined;
  #counter: EventCounter | undefined;

  /** @internal */
  constructor(onListenerError: (error: unknown) => void, clock: Clock, isTimed = false) {
    this.#onListenerError = onListenerError;
    this.#host = {
      clock,
      emit: (event) => this.emit(event),
      startFill: (route) => this.#startFill(route),
      counterAlone: () => (this.#isHeard ? undefined : this.#counter),
      isTimed,
    };
  }

  /** False while nobody listens: then no event is even made. */
  get active(): boolean {
    return this.#counter !== undefined || this.#isHeard;
  }

  get #isHeard(): boolean {
    return this.#listeners.length > 0 || published.hasSubscribers;
  }

  /**
   * Calls `listener` for every event, in the order they happen; the returned function stops it. It is called while
   * requests wait, so it should be quick; what it throws is logged and reaches no request.
   */
  on(listener: CacheListener): () => void {
    // One function may listen twice; each registration ends by itself.
    const own: CacheListener = (event) => listener(event);
    this.#listeners = [...this.#listeners, own];
    return () => {
      this.#listeners = this.#listeners.filter((each) => each !== own);
    };
  }

  /**
   * Has everything counted until the returned function is called.
   *
   * @internal
   */
  count(counter: EventCounter): () => void {
    this.#counter = counter;
    return () => {
      this.#counter = undefined;
    };
  }

  /**
   * What tells of one request, where anybody listens or responses have `Server-Timing`.
   *
   * @internal
   */
  begin(route: string): RequestTrace | undefined {
    return this.active || this.#host.isTimed
      ? new RequestTrace(this.#host, route, ++this.#requests)
      : undefined;
  }

  /**
   * Has look-ups and fills followed from now on.
   *
   * @internal
   */
  follow(tracer: CacheTracer): void {
    this.#tracer = tracer;
    this.on((event) => {
      if (event.type === 'lookup') tracer.lookup(event);
    });
  }

  /** What a tracer throws reaches no request either. */
  #startFill(route: string): FillSpan | undefined {
    if (this.#tracer === undefined) return undefined;
    try {
      const span = this.#tracer.fill(route);
      return {
        run: (work) => span.run(work),
        end: (stored, reason) => {
          try {
            span.end(stored, reason);
          } catch (error) {
            this.#onListenerError(error);
          }
        },
      };
    } catch (error) {
      this.#onListenerError(error);
      return undefined;
    }
  }

  /** @internal */
  emit(event: CacheEvent): void {
    const counter = this.#counter;
    if (counter !== undefined) this.#tell((told) => counter.record(told), event);
    for (const listener of this.#listeners) this.#tell(listener, event);
    if (published.hasSubscribers) published.publish(event);
  }

  /** A listener that fails must fail neither the request nor the other listeners. */
  #tell(listener: CacheListener, event: CacheEvent): void {
    try {
      listener(event);
    } catch (error) {
      this.#onListenerError(error);
    }
  }
}
