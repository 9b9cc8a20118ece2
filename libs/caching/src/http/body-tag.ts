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
  return own === undefined || isExpressTag(own, body) ? strongTagOf(body) : undefined;
}

/** Express makes one of each body that it sends, weak unless told otherwise: it is not the handler's own. */
function isExpressTag(tag: HeaderBag[string], body: Buffer): boolean {
  return typeof tag === 'string' && tag.startsWith(`W/"${body.length.toString(16)}-`);
}
