/** Begins no other tag: those have a kind, of one letter, and a colon, or are keys, which begin with a namespace, of more. */
const SOFT = '~';

/**
 * The tag whose eviction makes stale, rather than ends, what carries `tag`. It is evicted like any other, so it has a
 * stamp of its own in the same sequence, in every store and on every instance; no entry carries it.
 */
export function softTag(tag: string): string {
  return SOFT + tag;
}

/** The tag that is softly evicted; nothing for any other. */
export function hardened(tag: string): string | undefined {
  return tag.startsWith(SOFT) ? tag.slice(SOFT.length) : undefined;
}
