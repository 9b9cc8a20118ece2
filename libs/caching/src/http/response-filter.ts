import type { OutgoingHttpHeader } from 'node:http';
import type { SkipReason } from '../cache/reasons.js';
import { type HeaderBag, listOf } from './header-diff.js';

/** What a response filter callback sees: what is about to be sent, not what the handler returned. */
export interface FilteredResponse {
  readonly status: number;
  /** All fields of the response, by lower-case name. */
  readonly headers: HeaderBag;
  /** The body before any content coding; empty where there is none. */
  readonly body: Buffer;
}

/** True keeps the response. */
export type ResponseFilter = (response: FilteredResponse) => boolean;

/** What the route says about storing. */
export interface StoringPolicy {
  /** Milliseconds to live, by status; a status that is not here is not stored. */
  readonly statuses: ReadonlyMap<number, number>;
  /** Lower-case names of the request headers that the key covers. */
  readonly keyedHeaders: ReadonlySet<string>;
  /** Lower-case names in the handler's own `@Header('Vary', …)`, which Nest sets before the handler runs. */
  readonly declaredVary: ReadonlySet<string>;
}

/** What is known of the response when its head is about to be sent. */
export interface ResponseHead {
  readonly status: number;
  /** All of its fields by lower-case name, middleware's included. */
  readonly headers: HeaderBag;
  /** `Vary` members that were there before the handler ran: they are middleware's, which varies hits as well. */
  readonly varyBefore: readonly string[];
  /** Whether a `Set-Cookie` came since the handler started. */
  readonly cookieAdded: boolean;
}

/** What the handler said through `CacheContext`. */
export interface HandlerWish {
  readonly refusal: SkipReason | undefined;
  readonly ttl: number | undefined;
}

export type StoringVerdict =
  { readonly store: true; readonly ttl: number } | { readonly store: false; readonly reason: SkipReason };

const MAX_VARY = 16;
const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;

/**
 * May a response with this head be stored, and for how long? The one place that decides; its result feeds the
 * event, the log and the `Cache-Status` field. Reasons that make a response its own client's come before `status`,
 * which those who wait for the fill may share.
 */
export function mayStore(policy: StoringPolicy, head: ResponseHead, wish: HandlerWish): StoringVerdict {
  const reason = privateReason(policy, head, wish);
  if (reason !== undefined) return { store: false, reason };
  const ttl = policy.statuses.get(head.status);
  if (ttl === undefined) return { store: false, reason: 'status' };
  return { store: true, ttl: wish.ttl ?? ttl };
}

function privateReason(policy: StoringPolicy, head: ResponseHead, wish: HandlerWish): SkipReason | undefined {
  const { status, headers, cookieAdded } = head;
  if (cookieAdded) return 'set-cookie';
  if (wish.refusal !== undefined) return wish.refusal;
  if (status === 206 || headers['content-range'] !== undefined) return 'partial';
  if (status === 304) return 'not-modified';
  const control = headers['cache-control'];
  const forbidden = control === undefined ? undefined : forbiddenBy(control);
  if (forbidden !== undefined) return forbidden;
  if (!isVaryCovered(policy, head)) return 'vary';
  if (headers['content-encoding'] !== undefined || headers.trailer !== undefined) return 'encoded';
  return undefined;
}

/** RFC 9111 §4.1: a response may be reused only for requests with the same values of the headers it varies on. */
function isVaryCovered(
  { keyedHeaders, declaredVary }: StoringPolicy,
  { headers, varyBefore }: ResponseHead,
): boolean {
  if (headers.vary === undefined) return true;
  const members = listOf(headers.vary);
  if (members.length > MAX_VARY) return false;
  return members.every(
    (name) =>
      name !== '*' &&
      TOKEN.test(name) &&
      (keyedHeaders.has(name) || (varyBefore.includes(name) && !declaredVary.has(name))),
  );
}

/** RFC 9111 §5.2.2.5 and §5.2.2.7; a `private` that names fields is taken for all of the response. */
export function forbiddenBy(control: OutgoingHttpHeader): 'no-store' | 'private' | undefined {
  const directives = directiveNames(String(control));
  return (['no-store', 'private'] as const).find((directive) => directives.includes(directive));
}

/** Names of the directives of a `Cache-Control` value, in lower case; commas in quoted strings don't separate. */
function directiveNames(value: string): string[] {
  const withoutStrings = value.replace(/"(?:[^"\\]|\\.)*"/g, '');
  return withoutStrings.split(',').map((directive) => (directive.split('=')[0] ?? '').trim().toLowerCase());
}
