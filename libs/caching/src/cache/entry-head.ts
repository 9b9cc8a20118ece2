import { MAX_DURATION } from '../duration.js';
import type { Entry, EntryLife, HeaderField, StoredResponse } from './entry.js';
import { HeldValue } from './held-value.js';
import type { StampPosition } from './stamps.js';

/** What the reader of stored bytes knows beside them. */
export interface Expected {
  readonly key: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The largest body that is taken, in bytes. */
  readonly maxBodyBytes: number;
}

/**
 * Why an undamaged frame holds no entry to send now: it is another `key`'s, `fields` are missing or can't be sent,
 * its life is over (`expired`), or it was stored in the `future`.
 */
export type EntryRefusal = 'key' | 'fields' | 'expired' | 'future';

/**
 * By place rather than by name: a fourth less to send and to parse for each hit. `null` stands for what is absent. What
 * the second version of the format added stands at the end, and only where an entry has it.
 */
type Head = [
  tags: readonly string[],
  /** Which of the tags is the key. */
  key: number,
  variantOf: string | null,
  epoch: string,
  n: number,
  storedAt: number,
  expiresAt: number,
  status: number,
  statusMessage: string | null,
  delivery: StoredResponse['delivery'],
  headers: readonly HeaderField[],
  removed: readonly string[],
  freshness: Life | null,
  /** Not written where it is not known, as by releases that did not measure it. */
  handlerTime?: number | null,
  vary?: readonly string[] | null,
  validator?: string | null,
];

type Life = [
  freshUntil: number,
  ageAtStore: number,
  staleWhileRevalidateUntil: number,
  staleIfErrorUntil: number,
  /** The sum of `LIFE_FLAGS`. */
  flags: number,
];

type Untrusted<T> = { [P in keyof T]: unknown };

/** By version of the format. The last of the first one's is not there where it is not known. */
const HEAD_FIELDS = {
  1: { least: 13, most: 14 },
  2: { least: 16, most: 16 },
} as const satisfies Record<number, Record<string, Head['length']>>;

export type FormatVersion = keyof typeof HEAD_FIELDS;

const LIFE_FIELDS = 5 satisfies Life['length'];

const LIFE_AT = 12;

const LIFE_FLAGS = { alwaysRevalidate: 1, staleForbidden: 2 } as const;
const ALL_LIFE_FLAGS = LIFE_FLAGS.alwaysRevalidate + LIFE_FLAGS.staleForbidden;

/** By how much the clock of the one who stored may be ahead of ours, in milliseconds. */
const MAX_SKEW = 10_000;

/** Twice what the engine gives: 256 of the application's and a few for route, path and key. */
const MAX_TAGS = 512;

/** More than a response that is stored may name. */
const MAX_VARY = 64;

/** RFC 9110 §5.6.2. */
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;

/** What node writes into a head without an error: any number of characters (RFC 9110 §5.5). */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * Fields that no stored response has: of one connection or message (RFC 9110 §7.6.1), of one client, or of a body
 * other than the whole identity body that is stored. An expression, as hashing new texts for a set takes longer.
 */
const REFUSED_NAME =
  /^(?:connection|content-(?:encoding|range)|keep-alive|proxy-(?:authenticate|authentication-info|authorization|connection)|set-cookie2?|te|trailer|transfer-encoding|upgrade)$/i;

const CONTENT_LENGTH = /^content-length$/i;

/** Whether a reader would take the entry, as far as that depends on what handlers and applications choose. */
export function isStorable({ key, tags, response }: Entry, bodyLength: number): boolean {
  return areTags(tags) && tags.includes(key) && areFields(response.headers, bodyLength);
}

/** The oldest version of the format that can say all of an entry: what older releases can read, they may. */
export function versionOf({ vary, validator }: Entry): FormatVersion {
  return vary === undefined && validator === undefined ? 1 : 2;
}

/** @param entry one that is storable */
export function writeHead(entry: Entry, { epoch, n }: StampPosition): string {
  const { key, variantOf, tags, storedAt, expiresAt, response, freshness } = entry;
  const { handlerTime, vary, validator } = entry;
  const { status, statusMessage, delivery, headers, removed } = response;
  const head: Head = [
    tags,
    tags.indexOf(key),
    variantOf ?? null,
    epoch,
    n,
    storedAt,
    expiresAt,
    status,
    statusMessage ?? null,
    delivery,
    headers,
    removed,
    freshness === undefined ? null : writeLife(freshness),
  ];
  if (versionOf(entry) === 2) head.push(handlerTime ?? null, vary ?? null, validator ?? null);
  else if (handlerTime !== undefined) head.push(handlerTime);
  return JSON.stringify(head);
}

function writeLife(life: EntryLife): Life {
  return [
    life.freshUntil,
    life.ageAtStore,
    life.staleWhileRevalidateUntil,
    life.staleIfErrorUntil,
    (life.alwaysRevalidate ? LIFE_FLAGS.alwaysRevalidate : 0) +
      (life.staleForbidden ? LIFE_FLAGS.staleForbidden : 0),
  ];
}

/** The entry that a head and its body make, or why they make none. Never throws. */
export function readHead(
  text: string,
  body: Buffer | undefined,
  expected: Expected,
  version: FormatVersion,
): Entry | EntryRefusal {
  const head = parse(text);
  const { least, most } = HEAD_FIELDS[version];
  if (!Array.isArray(head) || head.length < least || head.length > most) return 'fields';
  const [tags, keyAt, variantOf, epoch, n, storedAt, expiresAt] = head as Untrusted<Head>;
  if (!areTags(tags)) return 'fields';
  const { key, now } = expected;
  if (typeof keyAt !== 'number' || tags[keyAt] !== key) return 'key';
  // The text that the reader has anyway, so that what is kept of the entry holds the key once.
  tags[keyAt] = key;
  if (variantOf !== null && !isText(variantOf)) return 'fields';
  if (!isText(epoch) || !isWhole(n) || n < 0) return 'fields';
  if (!isWhole(storedAt) || !isWhole(expiresAt)) return 'fields';
  const kept = expiresAt - storedAt;
  if (kept <= 0 || kept > MAX_DURATION) return 'fields';
  if (storedAt > now + MAX_SKEW) return 'future';
  if (expiresAt <= now) return 'expired';
  const response = readResponse(head as Untrusted<Head>, body, expected.maxBodyBytes);
  if (response === undefined) return 'fields';
  const since = Math.min(storedAt, now);
  const given: unknown = head[LIFE_AT];
  const freshness = given === null ? undefined : readLife(given, expiresAt, storedAt - since);
  if (freshness === 'fields') return 'fields';
  const added = readAdded(head, version);
  if (added === undefined) return 'fields';
  // Without a response of its own it must never be taken for one.
  if (added.vary !== undefined && !(body === undefined && freshness?.alwaysRevalidate === true))
    return 'fields';
  return {
    key,
    ...(variantOf !== null && { variantOf }),
    response,
    tags,
    start: { epoch, n },
    // Of the fills of this process, which the one that made it may not have been.
    order: 0,
    storedAt: since,
    expiresAt: since + kept,
    ...(freshness !== undefined && { freshness }),
    ...added,
  };
}

/** What came to be part of the head later; nothing where any of it is not as it is written. */
function readAdded(head: readonly unknown[], version: FormatVersion): Added | undefined {
  const [handlerTime = null, vary = null, validator = null] = head.slice(LIFE_AT + 1);
  // The first version leaves out what is not known.
  if (version === 1 && head.length > LIFE_AT + 1 && handlerTime === null) return undefined;
  if (handlerTime !== null && !isTime(handlerTime)) return undefined;
  if ((vary !== null && !isVary(vary)) || (validator !== null && !isText(validator))) return undefined;
  return {
    ...(handlerTime !== null && { handlerTime }),
    ...(vary !== null && { vary }),
    ...(validator !== null && { validator }),
  };
}

type Added = Pick<Entry, 'handlerTime' | 'vary' | 'validator'>;

function isTime(value: unknown): value is number {
  return isWhole(value) && value >= 0;
}

function isVary(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.length <= MAX_VARY && value.every(isFieldName);
}

/** @param ahead by how much the clock of the one who stored is ahead of ours, in milliseconds */
function readLife(given: unknown, expiresAt: number, ahead: number): EntryLife | 'fields' {
  if (!Array.isArray(given) || given.length !== LIFE_FIELDS || !given.every(isWhole)) return 'fields';
  const [freshUntil, ageAtStore, staleWhileRevalidateUntil, staleIfErrorUntil, flags] = given as Life;
  const areInOrder = [freshUntil, staleWhileRevalidateUntil, staleIfErrorUntil].every(
    (until) => until >= freshUntil && until <= expiresAt,
  );
  if (!areInOrder || ageAtStore < 0 || flags < 0 || flags > ALL_LIFE_FLAGS) return 'fields';
  return {
    freshUntil: freshUntil - ahead,
    ageAtStore,
    staleWhileRevalidateUntil: staleWhileRevalidateUntil - ahead,
    staleIfErrorUntil: staleIfErrorUntil - ahead,
    alwaysRevalidate: (flags & LIFE_FLAGS.alwaysRevalidate) !== 0,
    staleForbidden: (flags & LIFE_FLAGS.staleForbidden) !== 0,
  };
}

function readResponse(
  head: Untrusted<Head>,
  body: Buffer | undefined,
  maxBytes: number,
): StoredResponse | undefined {
  const [, , , , , , , status, statusMessage, delivery, headers, removed] = head;
  if (delivery === 'value') return HeldValue.decode(body, maxBytes);
  if (!isStatus(status) || (statusMessage !== null && !isReason(statusMessage))) return undefined;
  if (delivery !== 'framework' && delivery !== 'raw') return undefined;
  if (!areFields(headers, body?.length ?? 0)) return undefined;
  if (!Array.isArray(removed) || !removed.every(isFieldName)) return undefined;
  return {
    status,
    ...(statusMessage !== null && { statusMessage }),
    headers,
    removed,
    body,
    delivery,
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // No JSON is no head.
    return undefined;
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

/** Final statuses but 206 and 304, which describe other responses than they are. */
function isStatus(value: unknown): value is number {
  return isWhole(value) && value >= 200 && value <= 599 && value !== 206 && value !== 304;
}

function areTags(value: unknown): value is string[] {
  return Array.isArray(value) && value.length <= MAX_TAGS && value.every(isText);
}

function areFields(value: unknown, bodyLength: number): value is HeaderField[] {
  return Array.isArray(value) && value.every((field) => isField(field, bodyLength));
}

function isField(field: unknown, bodyLength: number): boolean {
  if (!Array.isArray(field)) return false;
  if (field.length !== 2 && (field.length !== 3 || field[2] !== 'add')) return false;
  const name: unknown = field[0];
  const value: unknown = field[1];
  if (!isFieldName(name)) return false;
  if (REFUSED_NAME.test(name)) return false;
  if (CONTENT_LENGTH.test(name)) return isLength(value, bodyLength);
  return Array.isArray(value) ? value.every(isFieldValue) : isFieldValue(value);
}

function isFieldName(value: unknown): value is string {
  return typeof value === 'string' && TOKEN.test(value);
}

/** An empty one is not recorded. */
function isReason(value: unknown): value is string {
  return isText(value) && isFieldValue(value);
}

function isFieldValue(value: unknown): value is string {
  return typeof value === 'string' && FIELD_VALUE.test(value);
}

function isLength(value: unknown, bodyLength: number): boolean {
  return typeof value === 'string' && /^\d+$/.test(value) && Number(value) === bodyLength;
}
