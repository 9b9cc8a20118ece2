import type { OutgoingHttpHeader } from 'node:http';
import type { HeaderField } from '../cache/entry.js';

/** Response headers by lower-case name. */
export type HeaderBag = Readonly<Record<string, OutgoingHttpHeader | undefined>>;

export interface HeaderDiff {
  readonly headers: readonly HeaderField[];
  readonly removed: readonly string[];
}

/** One for all responses, as it is kept with each. */
const NOTHING: readonly string[] = Object.freeze([]);

/** Fields whose members middleware and handlers add to each other's. */
const LIST_FIELDS = new Set(['vary', 'link']);

/** Fields about one connection or one message, never about the response itself (RFC 9110 §7.6.1, RFC 9111 §3.1). */
const NOT_STORED = new Set([
  'connection',
  'date',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/**
 * What a response gained over what it had when the interceptor started. Only that is stored: the rest was set by
 * middleware and hooks for the request at hand, and they run on hits too.
 *
 * @param names the names of `after` as they are spelt on the wire, in their order
 */
export function diffHeaders(before: HeaderBag, after: HeaderBag, names: readonly string[]): HeaderDiff {
  const headers: HeaderField[] = [];
  const connection = listOf(after.connection);
  for (const name of names) {
    const field = name.toLowerCase();
    const value = after[field];
    if (value === undefined || NOT_STORED.has(field) || connection.includes(field)) continue;
    const old = before[field];
    if (old !== undefined && isSame(old, value)) continue;
    const added = LIST_FIELDS.has(field) ? addedMembers(old, value) : undefined;
    if (added !== undefined) {
      if (added.length > 0) headers.push([name, added, 'add']);
      continue;
    }
    headers.push([name, Array.isArray(value) ? [...value] : String(value)]);
  }
  const removed = Object.keys(before).filter(
    (field) => after[field] === undefined && before[field] !== undefined,
  );
  // A copy, as a list that was added to keeps room for more.
  return { headers: headers.slice(), removed: removed.length === 0 ? NOTHING : removed };
}

/**
 * What a list field gained at its end, in lines of its own where it came so (`res.append`) and otherwise as it was
 * written: a `Link` has commas within its members. Nothing where the field was rewritten.
 */
function addedMembers(
  before: OutgoingHttpHeader | undefined,
  after: OutgoingHttpHeader,
): string | readonly string[] | undefined {
  // Where middleware has not begun the field yet, it may on a hit.
  if (before === undefined) return Array.isArray(after) ? [...after] : String(after);
  if (Array.isArray(after)) {
    const known = [before].flat().map(String);
    return known.every((line, at) => line === after[at]) ? after.slice(known.length) : undefined;
  }
  const known = String(before);
  const text = String(after);
  const gained = text.startsWith(known) ? /^\s*,\s*(.+)$/.exec(text.slice(known.length)) : null;
  return gained?.[1];
}

/** The members of a list field, in lower case. */
export function listOf(value: OutgoingHttpHeader | undefined): string[] {
  if (value === undefined) return [];
  return String(value)
    .split(',')
    .map((member) => member.trim().toLowerCase())
    .filter((member) => member !== '');
}

export function isSame(a: OutgoingHttpHeader | undefined, b: OutgoingHttpHeader | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && String(a) === String(b));
}
