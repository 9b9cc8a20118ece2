import type { Entry, StoredResponse } from './entry.js';

/** Which of a key's responses one turned out to be: it is only for requests that have the same key of their own. */
export interface Variant {
  /** Names of the request fields by which the responses are told apart. */
  readonly vary: readonly string[];
  /** What it is stored under. */
  readonly key: string;
}

/** The key of one request's own variant, once it is known by what there are variants; none where it can't be told. */
export type VariantKeyOf = (vary: readonly string[]) => string | undefined;

const NO_RESPONSE: StoredResponse = {
  status: 200,
  headers: [],
  removed: [],
  body: undefined,
  delivery: 'framework',
};

/**
 * The word under a key that its responses are told apart by request fields, as it is stored beside each of them: it
 * carries the tags of the last one, and lasts as long. Without it they are not found, which is a miss.
 */
export function variantsOf(key: string, { vary }: Variant, entry: Entry): Entry {
  const { variantOf, tags, start, order, storedAt, expiresAt } = entry;
  return {
    key,
    // Of a key that has header values in it there may be thousands.
    ...(variantOf !== undefined && variantOf !== key && { variantOf }),
    response: NO_RESPONSE,
    tags,
    start,
    order,
    storedAt,
    expiresAt,
    freshness: {
      freshUntil: storedAt,
      ageAtStore: 0,
      staleWhileRevalidateUntil: storedAt,
      staleIfErrorUntil: storedAt,
      alwaysRevalidate: true,
      staleForbidden: true,
    },
    vary,
  };
}

/** How many responses that differ by header values only are kept for one URL. */
export const MAX_VARIANTS = 64;

/**
 * Which stored entries are variants of one URL. It caps them, so that a client that sends thousands of values of a
 * `vary` header pushes out only variants of the same URL, oldest first, never what is stored for others.
 */
export class VariantIndex {
  readonly #keysByUrl = new Map<string, Set<string>>();

  /** Notes a stored entry; returns the key of the one that has to go for it, if any. */
  add({ key, variantOf }: Entry): string | undefined {
    if (variantOf === undefined) return undefined;
    let keys = this.#keysByUrl.get(variantOf);
    if (keys === undefined) this.#keysByUrl.set(variantOf, (keys = new Set()));
    keys.add(key);
    if (keys.size <= MAX_VARIANTS) return undefined;
    const [oldest] = keys;
    return oldest;
  }

  /** Forgets an entry that is no longer stored. */
  remove({ key, variantOf }: Entry): void {
    if (variantOf === undefined) return;
    const keys = this.#keysByUrl.get(variantOf);
    keys?.delete(key);
    if (keys?.size === 0) this.#keysByUrl.delete(variantOf);
  }
}
