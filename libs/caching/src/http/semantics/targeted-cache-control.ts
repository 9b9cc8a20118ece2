import { parseDictionary } from 'structured-headers';
import { readDirectives, type ResponseDirectives } from './cache-control.js';
import type { Directive } from './directive-list.js';
import { type FieldValue, joinedLine } from './field-lines.js';

/** RFC 9213 §2.1: directives whose value is an Integer. */
const SECONDS = new Set(['max-age', 's-maxage', 'stale-while-revalidate', 'stale-if-error']);
/** RFC 9213 §2.1: those whose value is true, or a String of field names. */
const QUALIFIED = new Set(['no-cache', 'private']);
/** RFC 9213 §2.1: those whose value is always true. */
const FLAGS = new Set([
  'no-store',
  'no-transform',
  'must-revalidate',
  'proxy-revalidate',
  'must-understand',
  'public',
]);

/**
 * Parses a targeted field such as `CDN-Cache-Control` (RFC 9213): a Dictionary (RFC 9651 §3.2), unlike
 * `Cache-Control` itself. `undefined` where the response has no such field, or an empty or invalid one, which
 * §2.1 wants ignored as a whole; a known directive with a value of another type makes it invalid as well.
 */
export function parseTargetedCacheControl(value: FieldValue): ResponseDirectives | undefined {
  const line = joinedLine(value);
  if (line === undefined) return undefined;
  const members = dictionaryOf(line);
  // §2.2: only a valid field that is not empty takes the place of Cache-Control.
  if (members === undefined || members.size === 0) return undefined;
  const directives: Directive[] = [];
  for (const [name, [member]] of members) {
    const argument = argumentOf(name, member);
    if (argument === false) return undefined;
    directives.push({ name, argument, malformed: false });
  }
  return readDirectives({ directives, misquoted: false });
}

type Members = ReadonlyMap<string, readonly [value: unknown, parameters: unknown]>;

function dictionaryOf(line: string): Members | undefined {
  try {
    return parseDictionary(line);
  } catch {
    // Whatever is wrong with it, it is ignored (§2.1).
    return undefined;
  }
}

/** The argument of a directive, `undefined` for none; `false` where it is of another type than the directive's. */
function argumentOf(name: string, member: unknown): string | undefined | false {
  if (SECONDS.has(name)) {
    return Number.isInteger(member) ? String(member) : false;
  }
  if (FLAGS.has(name)) return member === true ? undefined : false;
  if (QUALIFIED.has(name)) return member === true || typeof member === 'string' ? undefined : false;
  // Of no meaning here, so of no wrong type either.
  return undefined;
}
