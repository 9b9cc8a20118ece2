import { crc32 } from 'node:zlib';
import type { Entry, EntryLife } from '../cache/entry.js';
import { HeldValue, longestText } from '../cache/held-value.js';
import type { StampPosition } from '../cache/stamps.js';

/*
 * A value as text, for stores that keep texts:
 *
 *   nv1 <CRC-32 of what follows, in hex>
 *   <JSON: tags, epoch, n, storedAt, expiresAt, and when it becomes stale, or null>
 *   <the value, as `HeldValue` writes it>
 *
 * A whole number without tags that a store can count is decimal text alone.
 */
const SIGNATURE = 'nv1 ';
const CHECKSUM_LENGTH = 8;
/** A value has 256 tags at most. */
const MAX_HEAD_LENGTH = 1024 * 1024;
const HEAD_AT = SIGNATURE.length + CHECKSUM_LENGTH + 1;

type Head = [
  tags: readonly string[],
  epoch: string,
  n: number,
  storedAt: number,
  expiresAt: number,
  stale: readonly [freshUntil: number, whileRevalidateUntil: number, ifErrorUntil: number] | null,
];

const HEAD_FIELDS = 6 satisfies Head['length'];

/** @param start where the sequence stood that all who read it share */
export function encodeItem(entry: Entry, tags: readonly string[], start: StampPosition): string {
  const { storedAt, expiresAt, freshness } = entry;
  const stale: Head[5] =
    freshness === undefined
      ? null
      : [freshness.freshUntil, freshness.staleWhileRevalidateUntil, freshness.staleIfErrorUntil];
  const head: Head = [tags, start.epoch, start.n, storedAt, expiresAt, stale];
  const text = `${JSON.stringify(head)}\n${String(entry.response.body)}`;
  return `${SIGNATURE}${checksumOf(text)}\n${text}`;
}

/** The value in a text that a store returned for a key; nothing for anything that is none. Never throws. */
export function decodeItem(text: string, key: string, now: number, maxBytes: number): Entry | undefined {
  if (/^-?\d{1,16}$/.test(text)) return counted(Number(text), key, now);
  // Before anything that takes longer for more of it.
  if (text.length > MAX_HEAD_LENGTH + longestText(maxBytes)) return undefined;
  const rest = text.slice(HEAD_AT);
  if (!text.startsWith(SIGNATURE) || text.slice(SIGNATURE.length, HEAD_AT - 1) !== checksumOf(rest))
    return undefined;
  const end = rest.indexOf('\n');
  const head = readHead(rest.slice(0, end));
  if (head === undefined) return undefined;
  const [tags, epoch, n, storedAt, expiresAt, stale] = head;
  // Without its own key it is another one's.
  if (!tags.includes(key) || expiresAt <= now) return undefined;
  const response = HeldValue.decode(Buffer.from(rest.slice(end + 1)), maxBytes);
  if (response === undefined) return undefined;
  const entry = { key, response, tags, start: { epoch, n }, order: 0, storedAt, expiresAt };
  return stale === null ? entry : { ...entry, freshness: lifeOf(stale) };
}

/** When it ends is the store's to know. */
function counted(value: number, key: string, now: number): Entry {
  return {
    key,
    response: HeldValue.of(value, Number.MAX_SAFE_INTEGER),
    tags: [key],
    start: { epoch: '', n: 0 },
    order: 0,
    storedAt: now,
    expiresAt: Number.MAX_SAFE_INTEGER,
  };
}

function lifeOf([freshUntil, staleWhileRevalidateUntil, staleIfErrorUntil]: NonNullable<Head[5]>): EntryLife {
  return {
    freshUntil,
    ageAtStore: 0,
    staleWhileRevalidateUntil,
    staleIfErrorUntil,
    alwaysRevalidate: false,
    staleForbidden: false,
  };
}

function readHead(text: string): Head | undefined {
  let head: unknown;
  try {
    head = JSON.parse(text);
  } catch {
    // No JSON is no head.
    return undefined;
  }
  if (!Array.isArray(head) || head.length !== HEAD_FIELDS) return undefined;
  const [tags, epoch, n, storedAt, expiresAt, stale] = head as unknown[];
  const areTags = Array.isArray(tags) && tags.every((tag) => typeof tag === 'string');
  const areTimes = [n, storedAt, expiresAt].every(Number.isSafeInteger);
  const isStale =
    stale === null || (Array.isArray(stale) && stale.length === 3 && stale.every(Number.isSafeInteger));
  return areTags && typeof epoch === 'string' && areTimes && isStale ? (head as Head) : undefined;
}

function checksumOf(text: string): string {
  return crc32(text).toString(16).padStart(CHECKSUM_LENGTH, '0');
}
