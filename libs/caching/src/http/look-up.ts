import { type Entry, isEntry } from '../cache/entry.js';
import type { ViewKey } from '../cache/fill.js';
import { chain, isPromiseLike, type MaybePromise } from '../cache/maybe-promise.js';
import type { Missed, ViewCache } from '../cache/view-cache.js';
import type { Exchange } from './delivery.js';

/**
 * Looks a request's view up, and tells what was found where anybody listens.
 *
 * @param spent milliseconds that the request has waited for the store already
 */
export function lookUp(
  cache: ViewCache,
  { trace }: Exchange,
  { key }: ViewKey,
  spent = 0,
): MaybePromise<Entry | Missed> {
  if (trace === undefined) return cache.lookup(key, spent);
  const since = trace.elapsed();
  const answer = cache.lookup(key, spent);
  const asked = isPromiseLike(answer) ? 'shared' : 'local';
  return chain(answer, (found) => {
    const entry = isEntry(found) ? found : found.stale;
    const state = isEntry(found) ? 'fresh' : entry === undefined ? 'nothing' : 'stale';
    trace.lookup(state, entry && (entry.tier ?? 'local'), asked, since);
    return found;
  });
}
