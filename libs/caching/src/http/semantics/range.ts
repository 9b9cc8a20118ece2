import { matchesStrongly, parseEntityTag } from './entity-tag.js';
import { parseHttpDate } from './http-date.js';

export interface RangeRequest {
  readonly method: string;
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
}

/** The complete response that a part is to be cut from, of the very variant that was chosen. */
export interface RangeSource {
  readonly status: number;
  /** Bytes of the body. */
  readonly length: number;
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  /** When it was generated, in milliseconds since the epoch. */
  readonly date: number | undefined;
}

export type RangeOutcome =
  /** The whole response, as if no range had been asked for. */
  | { readonly kind: 'full' }
  /** 206 with the bytes from `start` up to, not including, `end`. */
  | { readonly kind: 'partial'; readonly start: number; readonly end: number; readonly contentRange: string }
  /** 416 without the body. */
  | { readonly kind: 'unsatisfiable'; readonly contentRange: string };

const FULL: RangeOutcome = { kind: 'full' };
const DATE_STRENGTH = 1_000;

/**
 * Which part of a stored response a request gets (RFC 9110 §14.2). A single range of bytes, and everything else in
 * full, which is always allowed. Preconditions come first (§13.2.2).
 *
 * @param now milliseconds since the epoch
 */
export function selectRange(request: RangeRequest, source: RangeSource, now: number): RangeOutcome {
  const { method, range, ifRange } = request;
  // §14.2: only for GET, and only where the answer without it is a 200.
  if (method !== 'GET' || source.status !== 200 || range === undefined) return FULL;
  // §13.1.5: a part only of what the client has the rest of.
  if (ifRange !== undefined && !isSameAsBefore(ifRange, source, now)) return FULL;
  const wanted = parseByteRange(range);
  if (wanted === undefined) return FULL;
  const { length } = source;
  // §15.5.17: tells how long it is.
  if (!isSatisfiable(wanted, length)) return { kind: 'unsatisfiable', contentRange: `bytes */${length}` };
  // §14.4: no Content-Range can name a part of nothing.
  if (length === 0) return FULL;
  // §14.1.2: more than there is means all there is, from either end.
  const start = wanted.first ?? Math.max(0, length - wanted.last);
  const end = wanted.first === undefined ? length : Math.min(wanted.last + 1, length);
  return { kind: 'partial', start, end, contentRange: `bytes ${start}-${end - 1}/${length}` };
}

interface ByteRange {
  /** `undefined` for the last bytes. */
  readonly first: number | undefined;
  /** Position of the last byte, or how many of the last ones. */
  readonly last: number;
}

/** `undefined` for another unit, several ranges and anything malformed, which §14.2 allows to be ignored. */
function parseByteRange(text: string): ByteRange | undefined {
  // §14.1: names of units are case-insensitive.
  const set = /^bytes=(.*)$/i.exec(text)?.[1];
  if (set === undefined) return undefined;
  const specs = set
    .split(',')
    .map((spec) => spec.trim())
    .filter((spec) => spec !== '');
  const parts = specs.length === 1 ? /^(\d*)-(\d*)$/.exec(specs[0] ?? '') : null;
  if (parts === null) return undefined;
  const [, from = '', to = ''] = parts;
  if (from === '') return to === '' ? undefined : { first: undefined, last: Number(to) };
  const first = Number(from);
  const last = to === '' ? Number.POSITIVE_INFINITY : Number(to);
  // §14.1.1: a last position before the first one is invalid, not unsatisfiable.
  return last < first ? undefined : { first, last };
}

/** §14.1.2: begins within the body; of the last bytes, at least one. */
function isSatisfiable({ first, last }: ByteRange, length: number): boolean {
  return first === undefined ? last > 0 : first < length;
}

/** §13.1.5: by a strong validator, compared strongly; a date has to be the very same. */
function isSameAsBefore(ifRange: string, { etag, lastModified, date }: RangeSource, now: number): boolean {
  const tag = parseEntityTag(ifRange);
  if (tag !== undefined) {
    const own = etag === undefined ? undefined : parseEntityTag(etag);
    return own !== undefined && matchesStrongly(tag, own);
  }
  const time = parseHttpDate(ifRange, now);
  const modified = lastModified === undefined ? undefined : parseHttpDate(lastModified, now);
  if (time === undefined || modified === undefined || date === undefined) return false;
  // §8.8.2.2: within the second of its change a response may have changed again, and its date is no strong validator.
  return time === modified && date - modified >= DATE_STRENGTH;
}
