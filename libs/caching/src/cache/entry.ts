import type { StampPosition } from './stamps.js';

/**
 * A header field of a stored response, its name spelt as the handler's framework spelt it. `add`: the value joins
 * what middleware has begun of a list field (`Vary`, `Link`) instead of taking its place.
 */
export type HeaderField = readonly [name: string, value: string | readonly string[], add?: 'add'];

/** What the handler's side of a response was: enough to send the same bytes again. */
export interface StoredResponse {
  readonly status: number;
  /** The reason phrase, where the handler chose one. */
  readonly statusMessage?: string;
  /** The fields that the response gained after the interceptor started. Middleware's own are not here. */
  readonly headers: readonly HeaderField[];
  /** Names of fields that middleware had set and the handler took away. */
  readonly removed: readonly string[];
  /** The body before any content coding; `undefined` where there was none, which is not an empty one. */
  readonly body: Buffer | undefined;
  /** `raw` where the handler wrote past the framework and a hit has to as well; `value` for what is no response. */
  readonly delivery: 'framework' | 'raw' | 'value';
  /** What it takes in memory, in bytes, where that is not its body. */
  readonly heldBytes?: number;
}

/** How long a response may be used, and how. Times are milliseconds since the epoch. */
export interface EntryLife {
  readonly freshUntil: number;
  /** How old the response was when it was stored, in milliseconds. */
  readonly ageAtStore: number;
  /** Not before `freshUntil`; the same where no stale serving is wanted or allowed. */
  readonly staleWhileRevalidateUntil: number;
  /** Not before `freshUntil`; the same where no stale serving is wanted or allowed. */
  readonly staleIfErrorUntil: number;
  /** Not to be used, however fresh, without asking again. */
  readonly alwaysRevalidate: boolean;
  /** Not to be used stale, whoever wishes it. */
  readonly staleForbidden: boolean;
  /** By how many milliseconds a soft eviction has made `freshUntil` earlier; not kept beyond this process. */
  readonly softenedBy?: number;
}

/** A stored view, or the word that there are several of one key. */
export interface Entry {
  readonly key: string;
  /** The key without the header values in it, where there are any: variants of one URL are capped together. */
  readonly variantOf?: string | undefined;
  readonly response: StoredResponse;
  /** Everything whose eviction ends this entry, its own key included. */
  readonly tags: readonly string[];
  /** Where the eviction sequence stood before the handler ran. */
  readonly start: StampPosition;
  /** The fill's place among this process's fills: an older fill never replaces what a newer one stored. */
  readonly order: number;
  /** Milliseconds since the epoch. */
  readonly storedAt: number;
  /** When the store forgets it. */
  readonly expiresAt: number;
  /** Where it is not there: new when it was stored, and fresh until the store forgets it. */
  readonly freshness?: EntryLife | undefined;
  /** What its handler took, in whole microseconds: a small number, which takes no memory of its own. */
  readonly handlerTime?: number | undefined;
  /** Where a look-up has found it; not kept with it. Default: in this process. */
  readonly tier?: 'shared';
  /** What the application said of the state of its data before the handler ran, so that the entry can be renewed. */
  readonly validator?: string | undefined;
  /**
   * Names of the request fields by which the views of this key are told apart, where there are several. Such an entry
   * holds no response: these lie under keys of their own, and this one is never fresh.
   */
  readonly vary?: readonly string[] | undefined;
}

/** Whether an entry may answer by itself: neither stale nor to be asked about first. */
export function isFresh({ freshness }: Entry, now: number): boolean {
  return freshness === undefined || (now < freshness.freshUntil && !freshness.alwaysRevalidate);
}

/** Until when an entry is fresh, in milliseconds since the epoch. */
export function freshUntil({ freshness, expiresAt }: Pick<Entry, 'freshness' | 'expiresAt'>): number {
  return freshness?.freshUntil ?? expiresAt;
}

/** A response that was made for another request. */
export interface SharedResponse {
  readonly response: StoredResponse;
  /** What its handler took, in microseconds. */
  readonly handlerTime: number | undefined;
  /** Until when what is stored of it is fresh, in milliseconds since the epoch; `undefined` where nothing is. */
  readonly freshUntil?: number | undefined;
}

/** What is stored, for those who waited until it was. */
export function sharedOf(entry: Entry): SharedResponse {
  const { response, handlerTime } = entry;
  return { response, handlerTime, freshUntil: freshUntil(entry) };
}

/** Whether a life says no more than that an entry was new when it was stored, and is fresh until it is forgotten. */
export function isPlain(life: EntryLife, expiresAt: number): boolean {
  const { freshUntil, ageAtStore, alwaysRevalidate, staleForbidden } = life;
  return freshUntil >= expiresAt && ageAtStore === 0 && !alwaysRevalidate && !staleForbidden;
}

/** A life as if its time had run out at `at`, in milliseconds since the epoch: what it may do when stale, it may then. */
export function softened(
  { freshness, expiresAt }: Pick<Entry, 'freshness' | 'expiresAt'>,
  at: number,
): EntryLife {
  const life = freshness ?? {
    freshUntil: expiresAt,
    ageAtStore: 0,
    staleWhileRevalidateUntil: expiresAt,
    staleIfErrorUntil: expiresAt,
    alwaysRevalidate: false,
    staleForbidden: false,
  };
  const earlier = life.freshUntil - Math.min(life.freshUntil, at);
  return {
    ...life,
    freshUntil: life.freshUntil - earlier,
    staleWhileRevalidateUntil: life.staleWhileRevalidateUntil - earlier,
    staleIfErrorUntil: life.staleIfErrorUntil - earlier,
    softenedBy: (life.softenedBy ?? 0) + earlier,
  };
}

/** Whether a look-up found an entry, or only the place in the eviction sequence from which a fill may start. */
export function isEntry(found: Entry | StampPosition): found is Entry {
  return 'response' in found;
}

/**
 * What an entry costs beside its texts and the bytes of its body: objects, lists and slots of tables, in bytes.
 * Measured by `bench/memory.mjs`, which fails where what is counted is far from what is used.
 */
const OVERHEAD = {
  entry: 400,
  freshness: 136,
  variant: 300,
  tag: 32,
  header: 136,
  body: 216,
  removed: 40,
  vary: 64,
  validator: 32,
} as const;

/** Bytes that an entry takes, as the bound of the memory store counts them. */
export function sizeOf({ key, variantOf, tags, response, freshness, vary, validator }: Entry): number {
  const { headers, removed, heldBytes } = response;
  let size = OVERHEAD.entry + sizeOfText(key);
  if (freshness !== undefined) size += OVERHEAD.freshness;
  if (variantOf !== undefined) size += OVERHEAD.variant + sizeOfText(variantOf);
  if (validator !== undefined) size += OVERHEAD.validator + sizeOfText(validator);
  for (const name of vary ?? []) size += OVERHEAD.vary + name.length;
  for (const tag of tags) size += OVERHEAD.tag + (tag === key ? 0 : sizeOfText(tag));
  for (const [name, value] of headers) size += OVERHEAD.header + name.length + String(value).length;
  size += OVERHEAD.removed * removed.length;
  if (heldBytes !== undefined) return size + heldBytes;
  const { body } = response;
  return body === undefined ? size : size + OVERHEAD.body + body.length;
}

/** Bytes of what it has to give. */
export function bytesOf(response: StoredResponse): number {
  return response.heldBytes ?? response.body?.length ?? 0;
}

/** One character outside of Latin-1 makes all of a text take two bytes for each. */
function sizeOfText(text: string): number {
  return /[\u0100-\uffff]/.test(text) ? text.length * 2 : text.length;
}
