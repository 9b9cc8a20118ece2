import type { StampPosition } from './stamps.js';

/** A header field of a stored response, its name spelt as the handler's framework spelt it. */
export type HeaderField = readonly [name: string, value: string | readonly string[]];

/** What the handler's side of a response was: enough to send the same bytes again. */
export interface StoredResponse {
  readonly status: number;
  /** The reason phrase, where the handler chose one. */
  readonly statusMessage?: string;
  /** The fields that the response gained after the interceptor started. Middleware's own are not here. */
  readonly headers: readonly HeaderField[];
  /** Members that the handler added to list fields (`Vary`, `Link`) which middleware had begun. */
  readonly listMembers: readonly HeaderField[];
  /** Names of fields that middleware had set and the handler took away. */
  readonly removed: readonly string[];
  /** The body before any content coding; `undefined` where there was none, which is not an empty one. */
  readonly body: Buffer | undefined;
  /** `raw` where the handler wrote past the framework and a hit has to as well. */
  readonly delivery: 'framework' | 'raw';
}

/** A stored view. */
export interface Entry {
  readonly key: string;
  readonly response: StoredResponse;
  /** Everything whose eviction ends this entry, its own key included. */
  readonly tags: readonly string[];
  /** Where the eviction sequence stood before the handler ran. */
  readonly start: StampPosition;
  /** The fill's place among this process's fills: an older fill never replaces what a newer one stored. */
  readonly order: number;
  /** Milliseconds since the epoch. */
  readonly storedAt: number;
  readonly expiresAt: number;
}

/** Whether a look-up found an entry, or only the place in the eviction sequence from which a fill may start. */
export function isEntry(found: Entry | StampPosition): found is Entry {
  return 'response' in found;
}

/**
 * What an entry costs beside its strings and its body: the objects, arrays and table slots around it.
 * Measured by `npm run bench:memory` and rounded up; written down in docs/memory.md.
 */
export const ENTRY_OVERHEAD = 760;

/** Bytes that an entry takes, as the bound of the memory store counts them. */
export function sizeOf(entry: Entry): number {
  const { headers, listMembers, removed, body } = entry.response;
  let size = ENTRY_OVERHEAD + entry.key.length + (body?.length ?? 0);
  for (const tag of entry.tags) size += tag.length + 24;
  for (const fields of [headers, listMembers]) {
    for (const [name, value] of fields) size += name.length + String(value).length + 96;
  }
  return size + removed.length * 40;
}
