import { isUint8Array } from 'node:util/types';
import type { EntryLife, StoredResponse } from '../cache/entry.js';
import type { SkipReason } from '../cache/reasons.js';
import type { Fill } from '../cache/fill.js';
import type { Variant } from '../cache/variants.js';
import { BodyRecorder } from './body-recorder.js';
import { tagFor } from './body-tag.js';
import type { Forwarded, VerdictFields } from './cache-headers.js';
import { type FillFieldsPolicy, FillFields } from './fill-fields.js';
import { diffHeaders, type HeaderBag, type HeaderDiff, isSame, listOf } from './header-diff.js';
import {
  type FilteredResponse,
  mayStore,
  passesFilter,
  type ResponseFilter,
  type StoringPolicy,
  type StoringVerdict,
} from './response-filter.js';
import {
  type Answer,
  completeResponse,
  type Conditions,
  isSelective,
  selectAnswer,
} from './selected-answer.js';
import type { StoredLife } from './semantics/freshness.js';

/** Why a response is not stored and yet given to those who wait for it. */
const SHARED: ReadonlySet<SkipReason> = new Set(['status', 'evicted']);

/** What a fill needs to know of its route. */
export interface RecordingPolicy extends StoringPolicy, FillFieldsPolicy {
  readonly route: string;
  readonly maxEntryBytes: number;
  readonly filter: ResponseFilter | undefined;
  /** Complete responses that have none are given an entity tag. */
  readonly etag: boolean;
}

/** What of its request counts for what becomes of a response. */
export interface AskedFor {
  /** Why the handler runs, as `Cache-Status` tells it. */
  readonly fwd: Forwarded;
  /** RFC 9111 §3.5 counts. */
  readonly isAuthorized: boolean;
  /** There where something stale may be sent in place of a failure. */
  readonly rescue?: Rescue | undefined;
  /** What the response is, where it varies on these fields beside what the key covers. */
  readonly variantBy: (names: readonly string[]) => Variant | undefined;
  /** Told of the fields that responses of the key are known to vary on. */
  readonly onVariant: (variant: Variant) => void;
}

/** A stored response that is sent in place of the handler's, and the fields that are added to it. */
export interface Substitute {
  readonly stored: StoredResponse;
  readonly fields: VerdictFields;
}

/** What a request is answered with whose handler fails, if anything. */
export interface Rescue {
  /** In place of a response with this status. */
  instead(status: number): Substitute | undefined;
  /** In place of none. */
  whenLate(): Substitute | undefined;
  /** Calls `task` when the handler is late; the returned function cancels it. */
  atDeadline(task: () => void): () => void;
}

/** Fields that say how long a response lives. */
const LIFE_FIELDS = ['cache-control', 'cdn-cache-control', 'expires'] as const;

/** Fields that make a response its client's own; the second is of RFC 2965, and obsolete. */
const COOKIE_FIELDS = ['set-cookie', 'set-cookie2'] as const;

/** A response's head as it is about to leave the handler's side of the framework. */
export interface RecordedHead {
  readonly status: number;
  readonly statusMessage?: string | undefined;
  readonly headers: HeaderBag;
  /** Field names as spelt on the wire, in their order. */
  readonly names: readonly string[];
  readonly delivery: StoredResponse['delivery'];
  /** What there was of these fields when the interceptor started, where that is other than was thought then. */
  readonly before?: HeaderBag | undefined;
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
  /** Something else is sent in its place. */
  #isReplaced = false;
  #variant: Variant | undefined;
  /** What the verdict was reached by, and when. */
  #etag: string | undefined;
  readonly #fields: FillFields;
  #judged: { readonly at: number; readonly ttl: number | undefined } | undefined;

  constructor(
    private readonly policy: RecordingPolicy,
    private readonly fill: Fill,
    private readonly asked: AskedFor,
    private readonly present: HeaderBag,
  ) {
    this.#fields = new FillFields(policy, asked.fwd);
  }

  /** The response's fields when the interceptor started. */
  get before(): HeaderBag {
    return this.#head?.before ?? this.present;
  }

  get opened(): boolean {
    return this.#head !== undefined;
  }

  get closed(): boolean {
    return this.#response !== undefined;
  }

  get ended(): boolean {
    return this.fill.ended;
  }

  /** Whether fields are added to the response that depend on the verdict. */
  get tells(): boolean {
    if (this.#isReplaced) return false;
    const { debugHeaders, downstream } = this.policy;
    return debugHeaders || downstream !== undefined || this.fill.trace?.isTimed === true;
  }

  /** The whole body, once it is complete. */
  get body(): Buffer | undefined {
    return this.#response?.body;
  }

  /** The entity tag that the response is given, once it is closed. */
  get etag(): string | undefined {
    return this.#etag;
  }

  get delivery(): StoredResponse['delivery'] | undefined {
    return this.#head?.delivery;
  }

  /** Notes the head. A second call starts again: an error after the first took the response's place. */
  open(head: RecordedHead): void {
    this.#head = head;
    this.#response = undefined;
    this.#etag = undefined;
    this.#hasBody = false;
    this.#body = new BodyRecorder(this.policy.maxEntryBytes);
    this.#diff = diffHeaders(this.before, head.headers, head.names);
    this.#judge(head);
  }

  #judge({ status, headers }: RecordedHead): void {
    const { fill, before } = this;
    const now = fill.now();
    this.#judged = { at: now, ttl: fill.ttl };
    this.#verdict = mayStore(
      this.policy,
      {
        status,
        headers,
        varyBefore: listOf(before.vary),
        cookieAdded: this.#isCookieAdded((name) => headers[name]),
        requestedAt: fill.startedAt,
        receivedAt: now,
        isAuthorized: this.asked.isAuthorized,
        variantBy: this.asked.variantBy,
      },
      fill,
    );
    this.#variant = this.#verdict.variant;
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
   * @param isUnsent nothing of the response has left: it may be given an entity tag
   * @throws CacheCallbackError where the route's `filter` does
   */
  close(isUnsent: boolean): void {
    const head = this.#head;
    if (head === undefined || this.#diff === undefined || this.#body === undefined || this.ended) return;
    const body = this.#body.take();
    this.fill.handlerEnds();
    this.#response = {
      status: head.status,
      ...(head.statusMessage && { statusMessage: head.statusMessage }),
      ...this.#diff,
      body: this.#hasBody ? body : undefined,
      delivery: head.delivery,
    };
    const declared = head.headers['content-length'];
    if (declared !== undefined && Number(declared) !== body.length) this.#verdict = refuse('length-mismatch');
    this.#judgeAgain(head);
    if (this.#verdict?.store !== true) return;
    if (!this.fill.isCurrent()) this.#verdict = refuse('evicted');
    else if (!this.#passes({ status: head.status, headers: head.headers, body }))
      this.#verdict = refuse('filter');
    else if (isUnsent && this.policy.etag) this.#tag(head, this.#response);
  }

  /** RFC 9110 §8.8.3: a strong one, of the exact bytes, unless the handler's side has made one. */
  #tag(head: RecordedHead, response: StoredResponse): void {
    const etag = tagFor(head, response.body);
    if (etag === undefined) return;
    this.#etag = etag;
    const headers = response.headers.filter(([name]) => name.toLowerCase() !== 'etag');
    // Not spread, which would keep room for more.
    this.#response = { ...response, headers: headers.concat([['ETag', etag]]) };
  }

  /**
   * What the client of the fill itself gets: its conditions were hidden from the handler, so they are answered from
   * the complete response.
   *
   * @param conditions of the request, shown again
   */
  answerTo(conditions: Conditions): Answer {
    const response = this.#response;
    const head = this.#head;
    if (response === undefined || head === undefined || !isSelective(conditions)) return { kind: 'full' };
    const field = (name: string): string | undefined => {
      const value = name === 'etag' && this.#etag !== undefined ? this.#etag : head.headers[name];
      return value === undefined ? undefined : String(value);
    };
    const answer = selectAnswer(conditions, completeResponse(response, field), this.fill.now());
    if (answer.kind !== 'full') this.#fields.forwardedStatus = response.status;
    return answer;
  }

  /** What is to be sent in place of a failure, before anything of it has left. To be asked once. */
  rescue(): Substitute | undefined {
    const { rescue } = this.asked;
    if (rescue === undefined || this.#head === undefined || this.#verdict?.store !== false) return undefined;
    const substitute = rescue.instead(this.#head.status);
    this.#isReplaced = substitute !== undefined;
    return substitute;
  }

  /** The handler is late, and its client has been sent something else. */
  giveUp(): void {
    this.#isReplaced = true;
    this.fail();
  }

  /** A handler that streams may have said more since `open`, and time has passed. */
  #judgeAgain(head: RecordedHead): void {
    const { fill } = this;
    if (!this.#isOpen()) return;
    const isSameStill =
      fill.refusal === undefined && fill.ttl === this.#judged?.ttl && fill.now() === this.#judged?.at;
    if (!isSameStill) this.#judge(head);
  }

  /** Whether anything can still change what becomes of the response. */
  #isOpen(): boolean {
    const verdict = this.#verdict;
    return verdict !== undefined && (verdict.store || SHARED.has(verdict.reason));
  }

  /** Fields that tell what happened; before `close`, only what the head alone decides. */
  fields(): VerdictFields {
    const { store = false } = this.#verdict ?? {};
    const told = this.#fields.of(
      this.#verdict,
      this.closed || !store,
      this.#judgedAt(),
      (name) => this.#head?.headers[name],
    );
    const { trace } = this.fill;
    if (trace?.isTimed !== true) return told;
    const present = this.#head?.headers['server-timing'];
    return [...told, 'Server-Timing', trace.serverTiming(present, this.fill.handlerTime)];
  }

  #judgedAt(): number {
    return this.#judged?.at ?? this.fill.now();
  }

  /** Fields that may have been added since `open`. Returns whether they changed the verdict. */
  noteLate(field: (name: string) => HeaderBag[string]): boolean {
    const head = this.#head;
    if (head === undefined || this.#isReplaced || !this.#isOpen()) return false;
    if (this.#isCookieAdded(field)) this.#verdict = refuse('set-cookie');
    else if (field('trailer') !== undefined) this.#verdict = refuse('encoded');
    else return this.#noteLateLife(head, field);
    return true;
  }

  #noteLateLife(head: RecordedHead, field: (name: string) => HeaderBag[string]): boolean {
    const late: Record<string, HeaderBag[string]> = {};
    for (const name of LIFE_FIELDS) {
      const value = field(name);
      if (value === undefined || value === this.#fields.control) continue;
      if (!isSame(value, head.headers[name])) late[name] = value;
    }
    if (Object.keys(late).length === 0) return false;
    this.#head = { ...head, headers: { ...head.headers, ...late } };
    // What the body alone can tell has been decided by then.
    if (this.#verdict?.store === true || this.#verdict?.reason === 'status') this.#judge(this.#head);
    return true;
  }

  /** Head and body have left: ends the fill. */
  settle(): void {
    if (this.ended || this.#response === undefined || this.#verdict === undefined) return;
    if (this.#variant !== undefined) this.asked.onVariant(this.#variant);
    if (this.#verdict.store) this.#keep(this.#response, this.#verdict.life);
    else if (SHARED.has(this.#verdict.reason)) {
      this.#tell(this.#verdict.reason);
      this.fill.share(this.#response, undefined, this.#variant);
    } else this.#skip(this.#verdict.reason);
  }

  /** From now, which is later than the verdict where middleware has held the end of the reply. */
  #keep(response: StoredResponse, life: StoredLife): void {
    const { fill } = this;
    const now = fill.now();
    const since = Math.max(0, now - this.#judgedAt());
    const kept: EntryLife = {
      freshUntil: life.freshUntil,
      ageAtStore: life.ageAtStore + since,
      staleWhileRevalidateUntil: life.staleWhileRevalidateUntil,
      staleIfErrorUntil: life.staleIfErrorUntil,
      alwaysRevalidate: life.alwaysRevalidate,
      staleForbidden: life.staleForbidden,
    };
    fill.store(response, life.keepUntil - now, kept, this.#variant);
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

  #passes(response: FilteredResponse): boolean {
    try {
      return passesFilter(this.policy, response);
    } catch (error) {
      this.#skip('filter');
      throw error;
    }
  }

  #isCookieAdded(field: (name: string) => HeaderBag[string]): boolean {
    return COOKIE_FIELDS.some((name) => {
      const value = field(name);
      return value !== undefined && !isSame(value, this.before[name]);
    });
  }

  #skip(reason: SkipReason): void {
    if (this.ended) return;
    this.#verdict = refuse(reason);
    this.#tell(reason);
    // What one client wished says nothing of the next one's response.
    if (reason === 'request') this.fill.abort();
    else this.fill.reject();
  }

  #tell(reason: SkipReason): void {
    const { fill } = this;
    fill.skipped = reason;
    fill.trace?.skipped(reason, this.#head?.status, fill.handlerTime);
  }
}

function refuse(reason: SkipReason): StoringVerdict {
  return { store: false, reason };
}
