import type { Entry, StoredResponse } from '../cache/entry.js';
import { ALL_VIEWS } from '../http/route-tags.js';

/** What a test says about an entry; the rest is made up. */
export interface SampleEntry
  extends Pick<Entry, 'start' | 'storedAt'>, Partial<Omit<Entry, 'key' | 'start' | 'storedAt'>> {
  /** Milliseconds. Default: a minute. */
  readonly life?: number;
  /** The body. Default: the key. */
  readonly text?: string;
}

export function sampleResponse(text: string): StoredResponse {
  return { status: 200, headers: [], removed: [], body: Buffer.from(text), delivery: 'framework' };
}

/** An entry as the engine makes it: its own key is among its tags, and the tag that all of them carry. */
export function sampleEntry(key: string, given: SampleEntry): Entry {
  const { life = 60_000, text = key, tags = [], ...rest } = given;
  return {
    key,
    response: sampleResponse(text),
    order: 1,
    expiresAt: given.storedAt + life,
    ...rest,
    tags: [...tags, ALL_VIEWS, key],
  };
}
