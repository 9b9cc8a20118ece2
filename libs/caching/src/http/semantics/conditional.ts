import { matchesWeakly, parseEntityTag, parseEntityTags } from './entity-tag.js';
import { parseHttpDate } from './http-date.js';

/** What a request that may be answered by 304 has. */
export interface ConditionalRequest {
  readonly method: string;
  readonly ifNoneMatch: string | undefined;
  readonly ifModifiedSince: string | undefined;
}

/** The response that would be sent otherwise, of the very variant that was chosen. */
export interface SelectedResponse {
  readonly status: number;
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  /**
   * When it was generated, in milliseconds since the epoch: stands in for a missing `Last-Modified` (RFC 9111 §4.3.2).
   * `undefined` for a response that is not from the cache.
   */
  readonly date: number | undefined;
}

/**
 * Whether a client already has the response that it would be sent (RFC 9110 §13.2.2, RFC 9111 §4.3.2). False wherever
 * in doubt: a transfer too many is not an error.
 *
 * @param now milliseconds since the epoch
 */
export function isNotModified(request: ConditionalRequest, selected: SelectedResponse, now: number): boolean {
  const { method, ifNoneMatch, ifModifiedSince } = request;
  if (method !== 'GET' && method !== 'HEAD') return false;
  // RFC 9110 §13.2.1: conditions count only where the answer without them is a success.
  if (selected.status < 200 || selected.status > 299) return false;
  // RFC 9110 §13.1.3: where there is an If-None-Match, valid or not, If-Modified-Since is ignored.
  if (ifNoneMatch !== undefined) return matchesAny(ifNoneMatch, selected.etag);
  return ifModifiedSince !== undefined && isUnmodifiedSince(ifModifiedSince, selected, now);
}

function matchesAny(ifNoneMatch: string, etag: string | undefined): boolean {
  const own = etag === undefined ? undefined : parseEntityTag(etag);
  // Nearly all send back the one tag that they were given: no list to take apart.
  if (own !== undefined && ifNoneMatch === etag) return true;
  const tags = parseEntityTags(ifNoneMatch);
  // RFC 9110 §13.1.2: the client has something, whichever it is.
  if (tags === '*') return true;
  return own !== undefined && tags !== undefined && tags.some((tag) => matchesWeakly(tag, own));
}

function isUnmodifiedSince(since: string, { lastModified, date }: SelectedResponse, now: number): boolean {
  // RFC 9110 §13.1.3: what is no date is ignored.
  const limit = parseHttpDate(since, now);
  if (limit === undefined) return false;
  if (lastModified !== undefined) {
    const modified = parseHttpDate(lastModified, now);
    return modified !== undefined && modified <= limit;
  }
  return date !== undefined && date <= limit;
}

/** RFC 9110 §15.4.5: metadata of the representation, which the client has, and framing of a body, which is not sent. */
const NOT_ON_304 = new Set([
  'accept-ranges',
  'content-digest',
  'content-encoding',
  'content-language',
  'content-length',
  'content-md5',
  'content-range',
  'content-type',
  'digest',
  'repr-digest',
  'trailer',
  'transfer-encoding',
]);

/**
 * Whether a field of a 200 is sent on the 304 in its place (RFC 9110 §15.4.5). `Cache-Control`, `Content-Location`,
 * `Date`, `ETag`, `Expires` and `Vary` have to be, and what is not about the representation may be.
 *
 * @param name in lower case
 * @param hasTag the response has an `ETag`, without which `Last-Modified` is what the client needs
 */
export function isSentOn304(name: string, hasTag: boolean): boolean {
  return name === 'last-modified' ? !hasTag : !NOT_ON_304.has(name);
}
