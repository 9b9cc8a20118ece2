import { isUint8Array } from 'node:util/types';
import type { EntryLife, StoredResponse } from '../cache/entry.js';
import type { SkipReason } from '../cache/reasons.js';
import type { Fill } from '../cache/fill.js';
import type { Variant } from '../cache/variants.js';
import { BodyRecorder } from './body-recorder.js';
import { tagFor } from './body-tag.js';
import type { Forwarded, VerdictFields } from './cache-headers.js';
import { type FillFieldsPolicy, FillFields } from './fill-fields.js';
import { diffHeaders, type HeaderBag, type HeaderDiff } from './header-diff.js';
import {
  type FilteredResponse,
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
import { type DecidedRequest, type RecordedHead, SHARED, StoringDecision } from './storing-decision.js';

/** What a fill needs to know of its route. */
export interface RecordingPolicy extends StoringPolicy, FillFieldsPolicy {
  readonly route: string;
  readonly maxEntryBytes: number;
  readonly filter: ResponseFilter | undefined;
  /** Complete responses that have none are given an entity tag. */
  readonly etag: boolean;
}

/** What of its request counts for what becomes of a response. */
export interface AskedFor extends DecidedRequest {
  /** Why the handler runs, as `Cache-Status` tells it. */
  readonly fwd: Forwarded;
  /** There where something stale may be sent in place of a failure. */
  readonly rescue?: Rescue | undefined;
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

/**
 * One response being recorded for one fill. The platform calls `open`, `push`, `close` and `settle` in this order
 * as the response goes by, or `fail` or `cut` where it will not be complete.
 */
export class ViewRecording {
  #decision: StoringDecision | undefined;
  #diff: HeaderDiff | undefined;
  #body: BodyRecorder | undefined;
  #hasBody = false;
  #response: StoredResponse | undefined;
  /** Why it is not stored, whatever its head says. */
  #refusal: SkipReason | undefined;
  /** Something else is sent in its place. */
  #isReplaced = false;
  #etag: string | undefined;
  readonly #fields: FillFields;

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
    return this.#decision?.head.before ?? this.present;
  }

  get opened(): boolean {
    return this.#decision !== undefined;
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
    return this.#decision?.head.delivery;
  }

  /** Notes the head. A second call starts again: an error after the first took the response's place. */
  open(head: RecordedHead): void {
    const before = head.before ?? this.present;
    this.#response = undefined;
    this.#refusal = undefined;
    this.#etag = undefined;
    this.#hasBody = false;
    this.#body = new BodyRecorder(this.policy.maxEntryBytes);
    this.#diff = diffHeaders(before, head.headers, head.names);
    this.#decision = new StoringDecision(this.policy, this.fill, this.asked, head, before);
  }

  /**
   * The head leaves before the body is complete, which may be never. Who waits for what can't be theirs need not wait
   * for its end.
   */
  headLeaves(): void {
    const verdict = this.#verdict;
    if (verdict?.store === false && !SHARED.has(verdict.reason)) this.#skip(verdict.reason);
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
    const decision = this.#decision;
    if (decision === undefined || this.#diff === undefined || this.#body === undefined || this.ended) return;
    const { head } = decision;
    const body = this.#body.take();
    this.fill.handlerEnds();
    const response: StoredResponse = {
      status: head.status,
      ...(head.statusMessage && { statusMessage: head.statusMessage }),
      ...this.#diff,
      body: this.#hasBody ? body : undefined,
      delivery: head.delivery,
    };
    this.#response = response;
    const declared = head.headers['content-length'];
    if (declared !== undefined && Number(declared) !== body.length) decision.refuse('length-mismatch');
    decision.again();
    if (!decision.verdict.store) return;
    if (!this.fill.isCurrent()) decision.refuse('evicted');
    else if (!this.#passes({ status: head.status, headers: head.headers, body })) decision.refuse('filter');
    else if (isUnsent && this.policy.etag) this.#tag(head, response);
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
    const head = this.#decision?.head;
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
    const decision = this.#decision;
    if (rescue === undefined || decision === undefined) return undefined;
    const substitute = this.#verdict?.store === false ? rescue.instead(decision.head.status) : undefined;
    this.#isReplaced = substitute !== undefined;
    if (substitute === undefined) this.fill.trace?.handled();
    return substitute;
  }

  /** The exchange is over. @param isCut no response can become complete any more */
  over(isCut: boolean): void {
    this.fill.trace?.handled();
    if (isCut) this.fail();
  }

  /** The handler is late, and its client has been sent something else. */
  giveUp(): void {
    this.#isReplaced = true;
    this.fail();
  }

  /** Fields that tell what happened; before `close`, only what the head alone decides. */
  fields(): VerdictFields {
    const verdict = this.#verdict;
    const headers = this.#decision?.head.headers;
    const told = this.#fields.of(
      verdict,
      this.closed || verdict?.store !== true,
      this.#decision?.at ?? this.fill.now(),
      (name) => headers?.[name],
    );
    const { trace } = this.fill;
    if (trace?.isTimed !== true) return told;
    return [...told, 'Server-Timing', trace.serverTiming(headers?.['server-timing'], this.fill.handlerTime)];
  }

  get #verdict(): StoringVerdict | undefined {
    return this.#refusal === undefined ? this.#decision?.verdict : { store: false, reason: this.#refusal };
  }

  /** Fields that may have been added since `open`. Returns whether they changed the verdict. */
  noteLate(field: (name: string) => HeaderBag[string]): boolean {
    if (this.#isReplaced || this.#refusal !== undefined) return false;
    return this.#decision?.noteLate(field, this.#fields.control) ?? false;
  }

  /** Head and body have left: ends the fill. */
  settle(): void {
    const decision = this.#decision;
    if (this.ended || this.#response === undefined || decision === undefined) return;
    const { variant, verdict } = decision;
    if (variant !== undefined) this.asked.onVariant(variant);
    if (verdict.store) this.#keep(this.#response, verdict.life, decision);
    else if (SHARED.has(verdict.reason)) {
      this.#tell(verdict.reason);
      this.fill.share(this.#response, undefined, variant);
    } else this.#skip(verdict.reason);
  }

  /** From now, which is later than the verdict where middleware has held the end of the reply. */
  #keep(response: StoredResponse, life: StoredLife, { at, variant }: StoringDecision): void {
    const { fill } = this;
    const now = fill.now();
    const since = Math.max(0, now - at);
    const kept: EntryLife = {
      freshUntil: life.freshUntil,
      ageAtStore: life.ageAtStore + since,
      staleWhileRevalidateUntil: life.staleWhileRevalidateUntil,
      staleIfErrorUntil: life.staleIfErrorUntil,
      alwaysRevalidate: life.alwaysRevalidate,
      staleForbidden: life.staleForbidden,
    };
    fill.store(response, life.keepUntil - now, kept, variant);
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

  #skip(reason: SkipReason): void {
    if (this.ended) return;
    this.#refusal = reason;
    this.#tell(reason);
    // What one client wished says nothing of the next one's response.
    if (reason === 'request') this.fill.abort();
    else this.fill.reject();
  }

  #tell(reason: SkipReason): void {
    const { fill } = this;
    fill.skipped = reason;
    fill.trace?.skipped(reason, this.#decision?.head.status, fill.handlerTime);
  }
}
