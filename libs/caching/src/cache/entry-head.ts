import { MAX_DURATION } from '../duration.js';
import type { Entry, HeaderField, StoredResponse } from './entry.js';
import { type Life, readLife, writeLife } from './head-life.js';
import { HeldValue } from './held-value.js';
import type { StampPosition } from './stamps.js';
import { areFields, isFieldName, isFieldValue } from './stored-fields.js';

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

type Untrusted<T> = { [P in keyof T]: unknown };

/** By version of the format. The last of the first one's is not there where it is not known. */
const HEAD_FIELDS = {
  1: { least: 13, most: 14 },
  2: { least: 16, most: 16 },
} as const satisfies Record<number, Record<string, Head['length']>>;

export type FormatVersion = keyof typeof HEAD_FIELDS;

const LIFE_AT = 12;

/** By how much the clock of the one who stored may be ahead of ours, in milliseconds. */
const MAX_SKEW = 10_000;

/** Twice what the engine gives: 256 of the application's and a few for route, path and key. */
const MAX_TAGS = 512;

/** More than a response that is stored may name. */
const MAX_VARY = 64;

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

/** An empty one is not recorded. */
function isReason(value: unknown): value is string {
  return isText(value) && isFieldValue(value);
}

function areTags(value: unknown): value is string[] {
  return Array.isArray(value) && value.length <= MAX_TAGS && value.every(isText);
}
