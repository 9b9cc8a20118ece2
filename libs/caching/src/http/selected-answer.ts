import type { IncomingHttpHeaders } from 'node:http';
import type { HeaderField, StoredResponse } from '../cache/entry.js';
import { isNotModified, isSentOn304 } from './semantics/conditional.js';
import { type RangeOutcome, selectRange } from './semantics/range.js';

/** What a client gets of a complete response: all of it, word that it has it already, or the part it asked for. */
export type Answer = { readonly kind: 'not-modified' } | RangeOutcome;

/** What of a request decides that. */
export interface Conditions {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
}

/** A complete response, of which a request may want less. */
export interface CompleteResponse {
  readonly status: number;
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  /** `undefined` where there is no body. */
  readonly body: Buffer | undefined;
  /** When a stored one was generated, in milliseconds since the epoch. */
  readonly date: number | undefined;
}

/**
 * @param field a field of the response by its name in lower case
 * @param date when a stored one was generated, in milliseconds since the epoch
 */
export function completeResponse(
  { status, body }: StoredResponse,
  field: (name: string) => string | undefined,
  date?: number,
): CompleteResponse {
  return { status, body, etag: field('etag'), lastModified: field('last-modified'), date };
}

const WHOLE: Answer = { kind: 'full' };

/** Whether a request may want less than all: false for most, at the cost of three look-ups. */
export function isSelective({ headers }: Pick<Conditions, 'headers'>): boolean {
  return (
    headers['if-none-match'] !== undefined ||
    headers['if-modified-since'] !== undefined ||
    headers.range !== undefined
  );
}

/** What a request that may have no part says (RFC 9110 §14.2: a server may ignore the field). */
export function withoutRange({ method, headers }: Conditions): Conditions {
  return { method, headers: { ...headers, range: undefined } };
}

/**
 * RFC 9110 §13.2.2: first whether the client has it, then which part of it.
 *
 * @param now milliseconds since the epoch
 */
export function selectAnswer(
  { method, headers }: Conditions,
  complete: CompleteResponse,
  now: number,
): Answer {
  const { status, etag, lastModified, body, date } = complete;
  const conditional = {
    method,
    ifNoneMatch: headers['if-none-match'],
    ifModifiedSince: headers['if-modified-since'],
  };
  if (isNotModified(conditional, { status, etag, lastModified, date }, now)) return { kind: 'not-modified' };
  if (body === undefined) return WHOLE;
  return selectRange(
    { method, range: headers.range, ifRange: headers['if-range'] as string | undefined },
    { status, length: body.length, etag, lastModified, date },
    now,
  );
}

/** The value of a stored response's field, by its name in lower case; of several lines none is to be relied on. */
export function storedField({ headers }: StoredResponse, field: string): string | undefined {
  const found = headers.find(([name]) => name.toLowerCase() === field);
  return typeof found?.[1] === 'string' ? found[1] : undefined;
}

/** What requests that want less than all ask of a stored response. */
interface Known {
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  /** What those who have it are sent in its place: the same for all of them. */
  notModified: StoredResponse | undefined;
}

/** A 304 has to cost less than what it stands for: it is made once for each response that is kept. */
const known = new WeakMap<StoredResponse, Known>();

function know(stored: StoredResponse): Known {
  return {
    etag: storedField(stored, 'etag'),
    lastModified: storedField(stored, 'last-modified'),
    notModified: undefined,
  };
}

/**
 * What a request gets of a stored response.
 *
 * @param date when it was generated, in milliseconds since the epoch
 * @param now milliseconds since the epoch
 * @param isKept it will answer others as well: what a shared store returns does not
 */
export function selectStored(
  conditions: Conditions,
  stored: StoredResponse,
  date: number | undefined,
  now: number,
  isKept: boolean,
): StoredResponse {
  let facts = isKept ? known.get(stored) : undefined;
  if (facts === undefined) {
    facts = know(stored);
    if (isKept) known.set(stored, facts);
  }
  const { status, body } = stored;
  const { etag, lastModified } = facts;
  const answer = selectAnswer(conditions, { status, body, etag, lastModified, date }, now);
  return answer.kind === 'not-modified'
    ? (facts.notModified ??= answerWith(stored, answer))
    : answerWith(stored, answer);
}

/** A stored response as an answer sends it. */
function answerWith(stored: StoredResponse, answer: Answer): StoredResponse {
  if (answer.kind === 'full') return stored;
  const { removed, delivery, body, headers } = stored;
  const isSent = sentFields(answer, storedField(stored, 'etag') !== undefined);
  const kept = headers.filter(([name]) => isSent(name.toLowerCase()));
  const range: HeaderField[] = answer.kind === 'not-modified' ? [] : [['Content-Range', answer.contentRange]];
  return {
    status: statusOf(answer),
    headers: [...kept, ...range],
    removed,
    body: partOf(body, answer),
    delivery,
  };
}

/** The status that an answer has in place of a 200. */
export function statusOf({ kind }: Exclude<Answer, { kind: 'full' }>): number {
  if (kind === 'not-modified') return 304;
  return kind === 'partial' ? 206 : 416;
}

/** What an answer sends of a body. */
export function partOf<T extends Uint8Array>(body: T | undefined, answer: Answer): T | undefined {
  if (answer.kind === 'full') return body;
  return answer.kind === 'partial' ? (body?.subarray(answer.start, answer.end) as T | undefined) : undefined;
}

/** Digests of the very bytes that are sent (RFC 9530 §2), which a part has others of. */
const OF_CONTENT = new Set(['content-digest', 'content-length', 'content-md5']);

/** Of an error that tells how long a body is: nothing about the body itself, nor for how long that may be kept. */
const NOT_ON_416 = new Set([
  ...OF_CONTENT,
  'cache-control',
  'content-type',
  'digest',
  'etag',
  'expires',
  'last-modified',
  'repr-digest',
]);

/** Which fields of the whole response an answer has, by their names in lower case. */
export function sentFields({ kind }: Answer, hasTag: boolean): (field: string) => boolean {
  switch (kind) {
    case 'not-modified':
      return (field) => isSentOn304(field, hasTag);
    case 'unsatisfiable':
      return (field) => !NOT_ON_416.has(field);
    case 'partial':
      // RFC 9110 §15.3.7: all that the 200 has, with the length of the part.
      return (field) => !OF_CONTENT.has(field);
    case 'full':
      return () => true;
  }
}
