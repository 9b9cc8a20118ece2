import type { StoredResponse } from '../cache/entry.js';
import type { SkipReason } from '../cache/reasons.js';
import type { Variant } from '../cache/variants.js';
import { type HeaderBag, isSame, listOf } from './header-diff.js';
import { type HandlerWish, mayStore, type StoringPolicy, type StoringVerdict } from './response-filter.js';

/** Why a response is not stored and yet given to those who wait for it. */
export const SHARED: ReadonlySet<SkipReason> = new Set(['status', 'evicted']);

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

/** The handler's wishes, and the time, which both go on until its response is complete. */
export interface DecidedFill extends HandlerWish {
  readonly startedAt: number;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** What of its request counts for whether a response is stored. */
export interface DecidedRequest {
  /** RFC 9111 §3.5 counts. */
  readonly isAuthorized: boolean;
  /** What the response is, where it varies on these fields beside what the key covers. */
  readonly variantBy: (names: readonly string[]) => Variant | undefined;
}

type Field = (name: string) => HeaderBag[string];

/** Whether a response is stored: decided by its head, and again where more of it shows until the head has left. */
export class StoringDecision {
  #head: RecordedHead;
  #verdict: StoringVerdict;
  #variant: Variant | undefined;
  #at: number;
  #ttl: number | undefined;

  /** @param before the response's fields when the interceptor started */
  constructor(
    private readonly policy: StoringPolicy,
    private readonly fill: DecidedFill,
    private readonly request: DecidedRequest,
    head: RecordedHead,
    private readonly before: HeaderBag,
  ) {
    this.#head = head;
    this.#at = fill.now();
    this.#verdict = this.#judge();
  }

  /** With all fields that are known so far. */
  get head(): RecordedHead {
    return this.#head;
  }

  get verdict(): StoringVerdict {
    return this.#verdict;
  }

  /** Which of its key's responses it is, whether it is stored or not. */
  get variant(): Variant | undefined {
    return this.#variant;
  }

  /** When it was decided, in milliseconds since the epoch. */
  get at(): number {
    return this.#at;
  }

  refuse(reason: SkipReason): void {
    this.#verdict = { store: false, reason };
  }

  /** A handler that streams may have said more since the head, and time has passed. */
  again(): void {
    const { fill } = this;
    if (!this.#isOpen()) return;
    if (fill.refusal !== undefined || fill.ttl !== this.#ttl || fill.now() !== this.#at) this.#rejudge();
  }

  /**
   * Fields that may have been added to the head. Returns whether they changed the verdict.
   *
   * @param control the `Cache-Control` that was added here
   */
  noteLate(field: Field, control: string | undefined): boolean {
    if (!this.#isOpen()) return false;
    if (this.#isCookieAdded(field)) this.refuse('set-cookie');
    else if (field('trailer') !== undefined) this.refuse('encoded');
    else return this.#noteLateLife(field, control);
    return true;
  }

  #noteLateLife(field: Field, control: string | undefined): boolean {
    const head = this.#head;
    const late: Record<string, HeaderBag[string]> = {};
    for (const name of LIFE_FIELDS) {
      const value = field(name);
      if (value === undefined || value === control) continue;
      if (!isSame(value, head.headers[name])) late[name] = value;
    }
    if (Object.keys(late).length === 0) return false;
    this.#head = { ...head, headers: { ...head.headers, ...late } };
    // What the body alone can tell has been decided by then.
    if (this.#verdict.store || this.#verdict.reason === 'status') this.#rejudge();
    return true;
  }

  #rejudge(): void {
    this.#at = this.fill.now();
    this.#verdict = this.#judge();
  }

  #judge(): StoringVerdict {
    const { fill, before, request } = this;
    const { status, headers } = this.#head;
    this.#ttl = fill.ttl;
    const verdict = mayStore(
      this.policy,
      {
        status,
        headers,
        varyBefore: listOf(before.vary),
        cookieAdded: this.#isCookieAdded((name) => headers[name]),
        requestedAt: fill.startedAt,
        receivedAt: this.#at,
        isAuthorized: request.isAuthorized,
        variantBy: request.variantBy,
      },
      fill,
    );
    this.#variant = verdict.variant;
    return verdict;
  }

  /** Whether anything can still change what becomes of the response. */
  #isOpen(): boolean {
    const verdict = this.#verdict;
    return verdict.store || SHARED.has(verdict.reason);
  }

  #isCookieAdded(field: Field): boolean {
    return COOKIE_FIELDS.some((name) => {
      const value = field(name);
      return value !== undefined && !isSame(value, this.before[name]);
    });
  }
}
