import { defer, from, mergeAll, mergeMap, type Observable, of, tap } from 'rxjs';
import { withFill } from '../cache-context.js';
import { type Entry, isEntry, type StoredResponse } from '../cache/entry.js';
import { chain, isPromiseLike, type MaybePromise } from '../cache/maybe-promise.js';
import type { StampPosition } from '../cache/stamps.js';
import type { Fill, Ticket, ViewCache, ViewKey } from '../cache/view-cache.js';
import type { Clock } from '../cache/clock.js';
import type { CacheEvents } from '../observe/events.js';
import { admit, type CredentialRules } from './admission.js';
import { type Verdict, verdictFields, type VerdictFields } from './cache-headers.js';
import { askUser } from './key-builder.js';
import type { KeyBypass } from './key-strategy.js';
import { armReplay, type FrameworkResponse, type HttpPlatform } from './platform/platform.js';
import { RequestView } from './request-view.js';
import type { ViewPolicy } from './route-policy.js';
import { limitTags } from './route-tags.js';
import { ViewRecording } from './view-recording.js';

/** One request on its way to a handler of a cached route. */
export interface Exchange {
  readonly platform: HttpPlatform;
  readonly request: RequestView;
  readonly response: FrameworkResponse;
  /** Runs the handler with everything between here and there. */
  readonly handle: () => Observable<unknown>;
}

/** What Nest is given in place of a handler's value; the wrapped adapter sends the stored response instead. */
const REPLAYED = of(Object.freeze({}));
const SENT = of(undefined);
const NO_FIELDS: VerdictFields = [];

/** How often a request that waits may be sent to another flight before it runs its own handler. */
const MAX_RETRIES = 8;

/**
 * The way of a request through a cached route: admission, key, look-up, and then a hit, a wait for another's fill,
 * or a fill. Synchronous as long as nothing it asks makes it wait.
 */
export class ViewServer {
  constructor(
    private readonly cache: ViewCache,
    private readonly clock: Clock,
    private readonly events: CacheEvents,
    private readonly credentials: CredentialRules,
    private readonly onBypass: (policy: ViewPolicy, reason: KeyBypass['bypass']) => void,
  ) {}

  serve(policy: ViewPolicy, exchange: Exchange): MaybePromise<Observable<unknown>> {
    // Middleware that has replied and called `next()` all the same: what follows reaches nobody.
    if (exchange.platform.node(exchange.response).headersSent) return exchange.handle();
    return chain(admit(policy, exchange.request, this.credentials), (admitted) => {
      if ('bypass' in admitted) return this.#bypass(policy, exchange, admitted);
      return chain(policy.key.build(exchange.request, admitted.principal), (view) => {
        if ('bypass' in view) return this.#bypass(policy, exchange, view);
        if (policy.refresh === undefined) return this.#lookup(policy, exchange, view);
        const { refresh } = policy;
        return chain(
          askUser('refresh', policy.route, () => refresh(exchange.request)),
          (wanted) => (wanted ? this.#refresh(policy, exchange, view) : this.#lookup(policy, exchange, view)),
        );
      });
    });
  }

  #bypass(policy: ViewPolicy, exchange: Exchange, { bypass: reason }: KeyBypass): Observable<unknown> {
    if (this.events.active) this.events.emit({ type: 'bypassed', route: policy.route, reason });
    this.onBypass(policy, reason);
    exchange.platform.setFields(exchange.response, this.#fields(policy, { kind: 'bypass', reason }));
    return exchange.handle();
  }

  #lookup(policy: ViewPolicy, exchange: Exchange, view: ViewKey): MaybePromise<Observable<unknown>> {
    const found = this.cache.lookup(view.key);
    if (!isPromiseLike(found))
      return isEntry(found)
        ? this.#hit(policy, exchange, found)
        : this.#miss(policy, exchange, view, found, 0);
    const askedAt = this.clock.now();
    return found.then((answer) =>
      isEntry(answer)
        ? this.#hit(policy, exchange, answer)
        : this.#miss(policy, exchange, view, answer, this.clock.now() - askedAt),
    );
  }

  #hit(policy: ViewPolicy, exchange: Exchange, entry: Entry): Observable<unknown> {
    policy.key.remember(exchange.request);
    const now = this.clock.now();
    if (this.events.active)
      this.events.emit({ type: 'hit', route: policy.route, ageMs: now - entry.storedAt });
    const verdict = policy.debugHeaders
      ? verdictFields({ kind: 'hit', ttlMs: entry.expiresAt - now })
      : NO_FIELDS;
    return this.#deliver(policy, exchange, entry.response, verdict);
  }

  #miss(
    policy: ViewPolicy,
    exchange: Exchange,
    view: ViewKey,
    start: StampPosition,
    spent: number,
  ): MaybePromise<Observable<unknown>> {
    if (this.events.active) this.events.emit({ type: 'miss', route: policy.route });
    const tags = policy.tags(exchange.request);
    if (!isPromiseLike(tags))
      return this.#follow(policy, exchange, view, this.cache.join(view, start, tags), spent);
    // While the callback was asked, another request may have filled the cache.
    return tags.then((known) =>
      chain(this.cache.lookup(view.key, spent), (found) =>
        isEntry(found)
          ? this.#hit(policy, exchange, found)
          : this.#follow(policy, exchange, view, this.cache.join(view, found, known), spent),
      ),
    );
  }

  #follow(
    policy: ViewPolicy,
    exchange: Exchange,
    view: ViewKey,
    ticket: Ticket,
    spent: number,
    retries = MAX_RETRIES,
  ): Observable<unknown> {
    if (ticket.role === 'fill') {
      const { fill } = ticket;
      return policy.clusterWide && fill.leads
        ? this.#claim(policy, exchange, fill, spent)
        : this.#fill(policy, exchange, fill, false);
    }
    return from(ticket.outcome).pipe(
      mergeMap((outcome) => {
        if (typeof outcome !== 'string') {
          if (this.events.active) this.events.emit({ type: 'coalesced', route: policy.route });
          return this.#deliver(
            policy,
            exchange,
            outcome.response,
            this.#fields(policy, { kind: 'collapsed' }),
          );
        }
        // Nobody waits for the response any more, so no handler runs for it.
        if (exchange.platform.isGone(exchange.response)) return SENT;
        const isAlone = outcome === 'alone' || retries === 0;
        return flatten(
          chain(policy.tags(exchange.request), (tags) => {
            const next = isAlone ? this.cache.alone(view, tags) : this.cache.rejoin(view, tags);
            return this.#follow(policy, exchange, view, next, spent, retries - 1);
          }),
        );
      }),
    );
  }

  /** Waits for its turn among all instances; another may have filled by then. */
  #claim(policy: ViewPolicy, exchange: Exchange, fill: Fill, spent: number): Observable<unknown> {
    const claimed = this.cache.claim(fill, spent).then((entry) => {
      if (entry !== undefined) {
        if (this.events.active) this.events.emit({ type: 'coalesced', route: policy.route });
        return this.#deliver(policy, exchange, entry.response, this.#fields(policy, { kind: 'collapsed' }));
      }
      if (!exchange.platform.isGone(exchange.response)) return this.#fill(policy, exchange, fill, false);
      fill.abort();
      return SENT;
    });
    // Nest may have torn this down before its turn came.
    return flatten(claimed).pipe(tap({ unsubscribe: () => fill.abort() }));
  }

  #refresh(policy: ViewPolicy, exchange: Exchange, view: ViewKey): MaybePromise<Observable<unknown>> {
    return chain(policy.tags(exchange.request), (tags) =>
      this.#fill(policy, exchange, this.cache.alone(view, tags).fill, true),
    );
  }

  /** Runs the handler; what the framework sends of it is recorded. */
  #fill(policy: ViewPolicy, exchange: Exchange, fill: Fill, refresh: boolean): Observable<unknown> {
    const { platform, request, response, handle } = exchange;
    limitTags(fill);
    const recording = platform.record(request.raw, response, {
      rawHandler: policy.rawHandler,
      recording: (before) => new ViewRecording(policy, fill, refresh, this.events, before),
    });
    return withFill(request.raw, fill, handle).pipe(
      tap({
        // Nest tears an Observable down when its client leaves: then there will be no response.
        unsubscribe: () => recording.fail(),
        // A handler that had begun to write by itself: Nest ends what it wrote as if it were complete.
        error: () => {
          if (recording.opened && !recording.closed) recording.cut();
        },
      }),
    );
  }

  #deliver(
    policy: ViewPolicy,
    { platform, request, response }: Exchange,
    stored: StoredResponse,
    fields: VerdictFields,
  ): Observable<unknown> {
    if (!policy.rawHandler) {
      armReplay(request.raw, response, stored, fields);
      return REPLAYED;
    }
    // Nest leaves the reply of a handler with `@Res()` to the handler.
    platform.send(request.raw, response, stored, fields);
    return SENT;
  }

  #fields(policy: ViewPolicy, verdict: Verdict): VerdictFields {
    return policy.debugHeaders ? verdictFields(verdict) : NO_FIELDS;
  }
}

function flatten(value: MaybePromise<Observable<unknown>>): Observable<unknown> {
  return isPromiseLike(value) ? defer(() => value).pipe(mergeAll()) : value;
}
