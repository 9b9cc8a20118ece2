import type { HeaderBag } from './header-diff.js';
import { strongTagOf } from './semantics/entity-tag.js';

/** What of a complete response its tag depends on. */
interface TaggedHead {
  readonly status: number;
  readonly headers: HeaderBag;
}

/** The entity tag that a complete response is given; `undefined` where it has one or needs none. */
export function tagFor({ status, headers }: TaggedHead, body: Buffer | undefined): string | undefined {
  // A 204 has no content to tell apart (RFC 9110 §15.3.5), and an error is nobody's to revalidate.
  if (body === undefined || status === 204 || status > 299) return undefined;
  const own = headers.etag;
  if (own === undefined) return strongTagOf(body);
  return isExpressTag(own, body) ? own.slice(WEAK.length) : undefined;
}

const WEAK = 'W/';

/** The body's length, and its SHA-1 in base64. */
const EXPRESS_TAG = /^W\/"([\da-f]+)-[\w+/]{27}"$/;

/**
 * Express makes one of each body that it sends, a weak one unless told otherwise: it is not the handler's own, but it
 * is a hash of the exact bytes, so the same tag is a strong one and nothing has to be hashed twice.
 */
function isExpressTag(tag: HeaderBag[string], body: Buffer): tag is string {
  return typeof tag === 'string' && EXPRESS_TAG.exec(tag)?.[1] === body.length.toString(16);
}
