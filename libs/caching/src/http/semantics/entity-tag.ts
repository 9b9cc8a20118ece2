import { hash } from 'node:crypto';

/** RFC 9110 §8.8.3. */
export interface EntityTag {
  readonly weak: boolean;
  /** With its quotes. */
  readonly opaque: string;
}

const OPAQUE = '"[\\x21\\x23-\\x7e\\x80-\\xff]*"';
const ENTITY_TAG = new RegExp(`^(W/)?(${OPAQUE})$`);
const NEXT_TAG = new RegExp(`[\\t ]*(?:(W/)?(${OPAQUE})[\\t ]*)?(,|$)`, 'y');

/** An entity tag; `undefined` for anything else, such as one without quotes. `w/` in lower case is no weak one. */
export function parseEntityTag(text: string): EntityTag | undefined {
  const parts = ENTITY_TAG.exec(text);
  return parts?.[2] === undefined ? undefined : { weak: parts[1] !== undefined, opaque: parts[2] };
}

/**
 * A list of entity tags as in `If-None-Match` (RFC 9110 §13.1.2): `*`, or the tags. `undefined` where any part of it
 * is malformed: half a list is not what the client said.
 */
export function parseEntityTags(text: string): '*' | readonly EntityTag[] | undefined {
  if (text.trim() === '*') return '*';
  const tags: EntityTag[] = [];
  NEXT_TAG.lastIndex = 0;
  for (;;) {
    const next = NEXT_TAG.exec(text);
    if (next === null) return undefined;
    // Empty members are none (RFC 9110 §5.6.1.2); commas within quotes are part of a tag.
    if (next[2] !== undefined) tags.push({ weak: next[1] !== undefined, opaque: next[2] });
    if (next[3] !== ',') return tags;
  }
}

/** RFC 9110 §8.8.3.2: the same, as far as saving a transfer goes. */
export function matchesWeakly(a: EntityTag, b: EntityTag): boolean {
  return a.opaque === b.opaque;
}

/** RFC 9110 §8.8.3.2: the same, byte by byte. */
export function matchesStrongly(a: EntityTag, b: EntityTag): boolean {
  return !a.weak && !b.weak && a.opaque === b.opaque;
}

/** 132 bits: two bodies with one tag don't happen. */
const TAG_LENGTH = 22;

/**
 * A strong entity tag of the exact bytes (RFC 9110 §8.8.1), the same in every process.
 *
 * @example
 * strongTagOf(Buffer.from('')) // '"47DEQpj8HBSa-_TImW-5JC"'
 */
export function strongTagOf(body: Uint8Array): string {
  return `"${hash('sha256', body, 'base64url').slice(0, TAG_LENGTH)}"`;
}

/**
 * The tag of a response whose bytes were changed on their way in a manner that nobody knows: a weak one (RFC 9110
 * §8.8.1). What is not a tag stays as it is.
 *
 * @example
 * weakened('"abc"') // 'W/"abc"'
 */
export function weakened(tag: string): string {
  return tag.startsWith('"') ? `W/${tag}` : tag;
}

/**
 * The entity tag of a content-coded variant: other bytes, so another strong tag (RFC 9110 §8.8.3.3). A weak one says
 * nothing about bytes and stays; so does what is not a tag.
 *
 * @example
 * tagOfVariant('"abc"', 'gzip') // '"abc-gzip"'
 */
export function tagOfVariant(tag: string, coding: string): string {
  const parsed = parseEntityTag(tag);
  if (parsed === undefined || parsed.weak || coding === 'identity') return tag;
  return `${tag.slice(0, -1)}-${coding}"`;
}
