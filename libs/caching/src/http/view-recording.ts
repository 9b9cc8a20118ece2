import { isUint8Array } from 'node:util/types';
import type { StoredResponse } from '../cache/entry.js';
import type { SkipReason } from '../cache/reasons.js';
import { isPromiseLike } from '../cache/maybe-promise.js';
import type { Fill } from '../cache/view-cache.js';
import { CacheCallbackError, describe } from '../caching.errors.js';
import type { CacheEvents } from '../observe/events.js';
import { BodyRecorder } from './body-recorder.js';
import { type VerdictFields, verdictFields } from './cache-headers.js';
import { diffHeaders, type HeaderBag, type HeaderDiff, isSame, listOf } from './header-diff.js';
import {
  forbiddenBy,
  mayStore,
  type ResponseFilter,
  type StoringPolicy,
  type StoringVerdict,
} from './response-filter.js';

/** Why a response is not stored and yet given to those who wait for it. */
const SHARED: ReadonlySet<SkipReason> = new Set(['status', 'evicted']);

/** What a fill needs to know of its route. */
export interface RecordingPolicy extends StoringPolicy {
  readonly route: string;
  readonly maxEntryBytes: number;
  readonly filter: ResponseFilter | undefined;
  readonly debugHeaders: boolean;
}

/** A response's head as it is about to leave the handler's side of the framework. */
export interface RecordedHead {
  readonly status: number;
  readonly statusMessage?: string | undefined;
  readonly headers: HeaderBag;
  /** Field names as spelt on the wire, in their order. */
  readonly names: readonly string[];
  readonly delivery: StoredResponse['delivery'];
}

/**
 * One response being recorded for one fill. The platform calls `open`, `push`, `close` and `settle` in this order
 * as the response goes by, or `fail` or `cut` where it will not be complete.
 */
export class ViewRecording {
  #head: RecordedHead | undefined;
  #diff: HeaderDiff | undefined;
  #body: BodyRecorder | undefined;
  #hasBody = false;
  #response: StoredResponse | undefined;
  #verdict: StoringVerdict | undefined;

  constructor(
    private readonly policy: RecordingPolicy,
    private readonly fill: Fill,
    private readonly refresh: boolean,
    private readonly events: CacheEvents,
    /** The response's fields when the interceptor started. */
    private readonly before: HeaderBag,
  ) {}

  get opened(): boolean {
    return this.#head !== undefined;
  }

  get closed(): boolean {
    return this.#response !== undefined;
  }

  get ended(): boolean {
    return this.fill.ended;
  }

  /** Whether its verdict is told in fields of the response. */
  get tells(): boolean {
    return this.policy.debugHeaders;
  }

  get delivery(): StoredResponse['delivery'] | undefined {
    return this.#head?.delivery;
  }

  /** Notes the head. A second call starts again: an error after the first took the response's place. */
  open(head: RecordedHead): void {
    this.#head = head;
    this.#response = undefined;
    this.#hasBody = false;
    this.#body = new BodyRecorder(this.policy.maxEntryBytes);
    this.#diff = diffHeaders(this.before, head.headers, head.names);
    this.#verdict = mayStore(
      this.policy,
      {
        status: head.status,
        headers: head.headers,
        varyBefore: listOf(this.before.vary),
        cookieAdded: this.#isCookieAdded(head.headers['set-cookie']),
      },
      this.fill,
    );
  }

  /** @param isOurs nobody else will write to the chunk's memory */
  push(chunk: unknown, encoding?: unknown, isOurs = false): void {
    if (this.#body === undefined || this.ended || chunk === undefined || chunk === null) return;
    // The framework refuses it, with an error of its own.
    if (typeof chunk !== 'string' && !isUint8Array(chunk)) return this.cut();
    this.#hasBody = true;
    this.#body.push(chunk, encoding, isOurs);
    if (this.#body.tooLarge) this.#skip('too-large');
  }

  /**
   * The body is complete. Decides whether the response is stored.
   *
   * @throws CacheCallbackError where the route's `filter` does
   */
  close(): void {
    const head = this.#head;
    if (head === undefined || this.#diff === undefined || this.#body === undefined || this.ended) return;
    const body = this.#body.take();
    this.#response = {
      status: head.status,
      ...(head.statusMessage && { statusMessage: head.statusMessage }),
      ...this.#diff,
      body: this.#hasBody ? body : undefined,
      delivery: head.delivery,
    };
    const declared = head.headers['content-length'];
    if (declared !== undefined && Number(declared) !== body.length) this.#verdict = refuse('length-mismatch');
    this.#heedHandler();
    if (this.#verdict?.store !== true) return;
    if (!this.fill.isCurrent()) this.#verdict = refuse('evicted');
    else if (!this.#passesFilter(head, body)) this.#verdict = refuse('filter');
  }

  /** What the handler said since `open`, as one that streams may. */
  #heedHandler(): void {
    const verdict = this.#verdict;
    if (verdict === undefined || (!verdict.store && !SHARED.has(verdict.reason))) return;
    if (this.fill.refusal !== undefined) this.#verdict = refuse(this.fill.refusal);
    else if (verdict.store) this.#verdict = { store: true, ttl: this.fill.ttl ?? verdict.ttl };
  }

  /** Fields that tell what happened; before `close`, only what the head alone decides. */
  fields(): VerdictFields {
    if (!this.policy.debugHeaders) return [];
    const decided = this.closed || this.#verdict?.store === false;
    return verdictFields({
      kind: 'fill',
      refresh: this.refresh,
      storing: decided ? this.#verdict : undefined,
    });
  }

  /** Fields that may have been added since `open`. Returns whether they changed the verdict. */
  noteLate(field: (name: string) => HeaderBag[string]): boolean {
    const verdict = this.#verdict;
    if (verdict === undefined || (!verdict.store && !SHARED.has(verdict.reason))) return false;
    const control = field('cache-control');
    const refused = control === undefined ? undefined : forbiddenBy(control);
    if (this.#isCookieAdded(field('set-cookie'))) this.#verdict = refuse('set-cookie');
    else if (refused !== undefined) this.#verdict = refuse(refused);
    else if (field('trailer') !== undefined) this.#verdict = refuse('encoded');
    else return false;
    return true;
  }

  /** Head and body have left: ends the fill. */
  settle(): void {
    if (this.ended || this.#response === undefined || this.#verdict === undefined) return;
    if (this.#verdict.store) this.fill.store(this.#response, this.#verdict.ttl);
    else if (SHARED.has(this.#verdict.reason)) {
      this.#tell(this.#verdict.reason);
      this.fill.share(this.#response);
    } else this.#skip(this.#verdict.reason);
  }

  /** The client left before the response was complete: one of those who wait runs the handler instead. */
  fail(): void {
    if (this.ended) return;
    this.#tell('aborted');
    this.fill.abort();
  }

  /** The handler's stream failed. Those who wait run their own handlers, all at once rather than one by one. */
  cut(): void {
    this.#skip('aborted');
  }

  #passesFilter(head: RecordedHead, body: Buffer): boolean {
    const { filter, route } = this.policy;
    if (filter === undefined) return true;
    try {
      const kept: unknown = filter({ status: head.status, headers: head.headers, body });
      if (typeof kept === 'boolean') return kept;
      // It is refused below; its own failure, which nobody waits for, must not end the process.
      if (isPromiseLike(kept)) kept.then(undefined, () => undefined);
      throw new CacheCallbackError('filter', route, `returned ${describe(kept)}; allowed: true or false`);
    } catch (error) {
      this.#skip('filter');
      if (error instanceof CacheCallbackError) throw error;
      const problem = error instanceof Error ? error.message : String(error);
      throw new CacheCallbackError('filter', route, `failed: ${problem}`, { cause: error });
    }
  }

  #isCookieAdded(value: HeaderBag[string]): boolean {
    return value !== undefined && !isSame(value, this.before['set-cookie']);
  }

  #skip(reason: SkipReason): void {
    if (this.ended) return;
    this.#verdict = refuse(reason);
    this.#tell(reason);
    this.fill.reject();
  }

  #tell(reason: SkipReason): void {
    if (this.events.active) this.events.emit({ type: 'skipped', route: this.policy.route, reason });
  }
}

function refuse(reason: SkipReason): StoringVerdict {
  return { store: false, reason };
}
