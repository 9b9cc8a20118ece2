import type { IncomingHttpHeaders } from 'node:http';
import { normaliseEncodings } from './accept-encoding.js';
import { normaliseLanguages } from './accept-language.js';
import { type FieldValue, joinedLine, linesOf } from './field-lines.js';
import { hostLine } from './host.js';

/** Names in one `Vary` beyond which a response is not stored. */
export const MAX_VARY_NAMES = 16;
/** Characters of all selecting values beyond which a response is not stored. */
export const MAX_SECONDARY_KEY = 4_096;

/** Fields that are hidden from a handler whose response is recorded: nothing that it sends varies on them. */
export const UNSEEN_BY_HANDLERS: ReadonlySet<string> = new Set([
  'if-modified-since',
  'if-none-match',
  'if-range',
  'range',
]);

const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]{1,64}$/;

/**
 * The request fields that a response was chosen by (RFC 9110 §12.5.5), in lower case, sorted, each once. `undefined`
 * where nobody can tell whether it fits another request: `*` (RFC 9111 §4.1), a malformed name, or more names than
 * `MAX_VARY_NAMES`.
 */
export function parseVary(value: FieldValue): readonly string[] | undefined {
  const names = new Set<string>();
  for (const member of linesOf(value).flatMap((line) => line.split(','))) {
    const name = member.trim().toLowerCase();
    if (name === '') continue;
    if (name === '*' || !TOKEN.test(name)) return undefined;
    names.add(name);
  }
  return names.size > MAX_VARY_NAMES ? undefined : [...names].sort();
}

/** What a route knows of the fields that its responses are chosen by. */
export interface VaryRules {
  /** Language tags that its handler answers in; `undefined` keeps `Accept-Language` as it comes. */
  readonly languages?: readonly string[] | undefined;
}

/**
 * The part of a key that tells apart requests whose selecting fields differ (RFC 9111 §4.1). Equal for requests whose
 * fields mean the same and different for all others. A field that is absent differs from an empty one.
 *
 * @param names from `parseVary`
 * @param headers of the request, by lower-case name
 * @returns `undefined` where it would be longer than `MAX_SECONDARY_KEY`
 */
export function secondaryKey(
  names: readonly string[],
  headers: IncomingHttpHeaders,
  rules: VaryRules = {},
): string | undefined {
  let key = '';
  for (const name of names) {
    const line = name === 'host' ? hostLine(headers) : joinedLine(headers[name]);
    const text = line === undefined ? undefined : normalise(name, line, rules);
    // Lengths in front: no value can look like the end of itself.
    key += `${name.length}:${name}${text === undefined ? '-' : `${text.length}:${text}`}`;
    if (key.length > MAX_SECONDARY_KEY) return undefined;
  }
  return key;
}

/** Fields in which a comma is no list's: there, whitespace behind one is part of the value. */
const NOT_LISTS = new Set([
  'authorization',
  'cookie',
  'from',
  'host',
  'if-modified-since',
  'if-range',
  'if-unmodified-since',
  'origin',
  'proxy-authorization',
  'referer',
  'user-agent',
]);

/** RFC 9111 §4.1: whitespace where the syntax allows it, and what a field's own definition says is the same. */
function normalise(name: string, line: string, { languages }: VaryRules): string {
  if (name === 'accept-encoding') return normaliseEncodings(line);
  if (name === 'accept-language' && languages !== undefined) return normaliseLanguages(line, languages);
  const text = line.trim();
  // RFC 4647 §2: language ranges mean the same whatever their case. Their order is one that handlers go by.
  if (name === 'accept-language') return withoutListSpace(text.toLowerCase());
  return NOT_LISTS.has(name) ? text : withoutListSpace(text);
}

/** Without whitespace around commas; a value with quoted strings, which may have some within, stays as it is. */
function withoutListSpace(text: string): string {
  if (text.includes('"')) return text;
  return text
    .split(',')
    .map((member) => member.trim())
    .join(',');
}
