import { createHash } from 'node:crypto';
import type { CacheViewOptions } from '../decorators.js';

/**
 * What of a route's rules decides under which tags, and for whom, a response was stored. It joins the key, so that a
 * deploy that changes them misses instead of serving what yesterday's rules have stored; the instances of both
 * versions can run side by side. Callbacks are told apart by their text. Empty where the route has none of this.
 */
export function policyFingerprint({ tags, scope, key, validator }: CacheViewOptions): string {
  // Words of two validators mean nothing to each other.
  const callbacks = [key ?? [], validator ?? []].flat().filter((strategy) => typeof strategy === 'function');
  if (tags === undefined && typeof scope !== 'function' && callbacks.length === 0) return '';
  const rules = [tags, scope, ...callbacks].map((rule) =>
    typeof rule === 'function' ? { callback: String(rule) } : (rule ?? null),
  );
  return createHash('sha256').update(JSON.stringify(rules)).digest('base64url').slice(0, 11);
}
