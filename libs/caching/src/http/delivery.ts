import { type Observable, of } from 'rxjs';
import type { Clock } from '../cache/clock.js';
import { type Entry, type SharedResponse, sharedOf, type StoredResponse } from '../cache/entry.js';
import type { StaleReason } from '../observe/cache-event.js';
import type { RequestTrace } from '../observe/request-trace.js';
import {
  type Forwarded,
  type StaleDetail,
  type Verdict,
  verdictFields,
  type VerdictFields,
} from './cache-headers.js';
import {
  downstreamControl,
  downstreamOf,
  freshFor,
  generatedAt,
  hitFields,
  saysOwnLife,
  staleFields,
} from './hit-fields.js';
import type { Compression } from './compression.js';
import { armReplay, type FrameworkResponse, type HttpPlatform } from './platform/platform.js';
import type { RequestView } from './request-view.js';
import type { ViewPolicy } from './route-policy.js';
import type { Substitute } from './view-recording.js';
import { isSelective, selectStored, storedField, withoutRange } from './selected-answer.js';

/** One request on its way to a handler of a cached route. */
export interface Exchange {
  readonly platform: HttpPlatform;
  readonly request: RequestView;
  readonly response: FrameworkResponse;
  /** Runs the handler with everything between here and there. */
  readonly handle: () => Observable<unknown>;
  /** Tells what happens to the request, where anybody listens. */
  trace: RequestTrace | undefined;
}

/** What Nest is given in place of a handler's value; the wrapped adapter sends the stored response instead. */
const REPLAYED = of(Object.freeze({}));
/** Where the response has been sent, or nobody waits for one. */
export const SENT = of(undefined);
const NO_FIELDS: VerdictFields = [];

/** Is told of what is done for requests, whether anybody listens to events or not: it has to be quick. */
export interface RequestObserver {
  /** A fresh entry answers. */
  onHit(policy: ViewPolicy, exchange: Exchange, entry: Entry): void;
  /** An entry that is not fresh any more answers. */
  onStale(policy: ViewPolicy, entry: Entry): void;
  /** A handler runs for a request that missed. */
  onFill(policy: ViewPolicy): void;
}

/** Answers requests with responses that were made for others. */
export class Delivery {
  constructor(
    private readonly clock: Clock,
    private readonly observer: RequestObserver,
    private readonly compression?: Compression,
  ) {}

  /**
   * What is stored.
   *
   * @param stale why it answers although it is not fresh any more
   */
  hit(policy: ViewPolicy, exchange: Exchange, entry: Entry, stale?: StaleReason): Observable<unknown> {
    const { request } = exchange;
    policy.key.remember(request);
    const now = this.clock.now();
    if (exchange.trace !== undefined) {
      if (stale === undefined) exchange.trace.hit(entry, now);
      else exchange.trace.stale(entry, now, stale);
    }
    if (stale === undefined) this.observer.onHit(policy, exchange, entry);
    const fields = hitFields(entry, now, policy.debugHeaders);
    const added = this.#withControl(policy, exchange, entry, now, fields);
    return deliver(policy, exchange, this.#selectedOf(exchange, entry), added);
  }

  /** What is stored and not fresh any more. @param fwd what a handler answered that was asked first */
  stale(
    policy: ViewPolicy,
    exchange: Exchange,
    entry: Entry,
    reason: StaleDetail,
    fwd?: { readonly status: number | undefined },
  ): Observable<unknown> {
    const { stored, fields } = this.prepareStale(policy, exchange, entry, reason, fwd);
    return deliver(policy, exchange, stored, fields);
  }

  /** The same, for whoever sends it. */
  prepareStale(
    policy: ViewPolicy,
    exchange: Exchange,
    entry: Entry,
    reason: StaleDetail,
    fwd?: { readonly status: number | undefined },
  ): Substitute {
    const now = this.clock.now();
    exchange.trace?.stale(entry, now, reason);
    this.observer.onStale(policy, entry);
    const fields = staleFields(entry, now, policy.debugHeaders, { reason, fwd });
    return {
      stored: this.#selectedOf(exchange, entry),
      fields: this.#withControl(policy, exchange, entry, now, fields),
    };
  }

  /** What is stored, and was found to hold still. */
  revalidated(policy: ViewPolicy, exchange: Exchange, entry: Entry, fwd: Forwarded): Observable<unknown> {
    const now = this.clock.now();
    exchange.trace?.hit(entry, now, 'renewed');
    const ttlMs = freshFor(entry, now);
    const fields = hitFields(entry, now, false).concat(fieldsOf(policy, { kind: 'revalidated', ttlMs, fwd }));
    const added = this.#withControl(policy, exchange, entry, now, fields);
    return deliver(policy, exchange, this.#selectedOf(exchange, entry), added);
  }

  /** What was stored while the request waited for it. */
  renewed(policy: ViewPolicy, exchange: Exchange, entry: Entry): Observable<unknown> {
    return this.collapsed(policy, exchange, sharedOf(entry), 'stale');
  }

  #withControl(
    { downstream }: ViewPolicy,
    exchange: Exchange,
    entry: Entry,
    now: number,
    fields: VerdictFields,
  ): VerdictFields {
    return downstream === undefined || this.#saysOwnLife(exchange, entry.response)
      ? fields
      : ['Cache-Control', downstreamOf(downstream, entry, now), ...fields];
  }

  #selectedOf(exchange: Exchange, entry: Entry): StoredResponse {
    const { response, tier } = entry;
    // What is read from a shared store for each hit is compressed for none.
    const isKept = tier !== 'shared';
    const chosen = isKept ? this.#coded(exchange, response) : response;
    return this.#selected(exchange, chosen, generatedAt(entry), isKept);
  }

  #coded(exchange: Exchange, response: StoredResponse): StoredResponse {
    const { compression } = this;
    return compression === undefined ? response : compression.select(exchange, response, this.clock.now());
  }

  /** As much of a response as the request wants, which is nearly always all. */
  #selected(
    exchange: Exchange,
    response: StoredResponse,
    date: number | undefined,
    isKept: boolean,
  ): StoredResponse {
    const { request, platform } = exchange;
    if (!isSelective(request)) return response;
    const isWhole =
      request.headers.range !== undefined && platform.codesParts(request.raw, exchange.response);
    const conditions = isWhole ? withoutRange(request) : request;
    return selectStored(conditions, response, date, this.clock.now(), isKept);
  }

  #saysOwnLife({ platform, response }: Exchange, stored: StoredResponse): boolean {
    return saysOwnLife((name) => storedField(stored, name) ?? platform.field(response, name));
  }

  /** The response of another request's fill. */
  collapsed(
    policy: ViewPolicy,
    exchange: Exchange,
    { response, handlerTime, freshUntil }: SharedResponse,
    fwd: Forwarded = 'uri-miss',
  ): Observable<unknown> {
    exchange.trace?.coalesced(response, handlerTime);
    const fields = fieldsOf(policy, { kind: 'collapsed', fwd });
    const { downstream } = policy;
    const added =
      downstream === undefined || freshUntil === undefined || this.#saysOwnLife(exchange, response)
        ? fields
        : ['Cache-Control', downstreamControl(downstream, 0, freshUntil - this.clock.now()), ...fields];
    return deliver(
      policy,
      exchange,
      this.#selected(exchange, this.#coded(exchange, response), undefined, true),
      added,
    );
  }
}

/** Answers with a response that is there, in place of the handler. */
export function deliver(
  policy: Pick<ViewPolicy, 'rawHandler'>,
  { platform, request, response, trace }: Exchange,
  stored: StoredResponse,
  fields: VerdictFields,
): Observable<unknown> {
  const added = trace === undefined ? fields : timed(trace, platform, response, fields);
  if (!policy.rawHandler) {
    armReplay(request.raw, response, stored, added);
    return REPLAYED;
  }
  // Nest leaves the reply of a handler with `@Res()` to the handler.
  platform.send(request.raw, response, stored, added);
  return SENT;
}

/** With `Server-Timing`, where that is wanted: beside what middleware has said, in place of what a handler once did. */
export function timed(
  trace: RequestTrace,
  platform: HttpPlatform,
  response: FrameworkResponse,
  fields: VerdictFields,
): VerdictFields {
  if (!trace.isTimed) return fields;
  return [...fields, 'Server-Timing', trace.serverTiming(platform.field(response, 'server-timing'))];
}

/** The debug fields of a verdict, where the route tells it. */
export function fieldsOf(policy: Pick<ViewPolicy, 'debugHeaders'>, verdict: Verdict): VerdictFields {
  return policy.debugHeaders ? verdictFields(verdict) : NO_FIELDS;
}
