import { CachingConfigError } from '../../caching.errors.js';
import { kindOf } from '../kind-of.js';
import type { ClusterClient, SentinelClient, ServerClient } from './node-redis.js';

/** A client that the application gave, with what it is. */
export type GivenClient =
  | { readonly kind: 'server'; readonly client: ServerClient }
  | { readonly kind: 'cluster'; readonly client: ClusterClient }
  | { readonly kind: 'sentinel'; readonly client: SentinelClient };

const ALLOWED =
  'a client, cluster or sentinel of node-redis 4, 5 or 6, or a store of cache-manager-redis-yet';

/**
 * Finds out what was given by what it can do, as it may be of any major.
 *
 * @throws CachingConfigError for anything else
 */
export function readClient(given: unknown): GivenClient {
  const client = can(given, 'connect') ? given : inside(given);
  if (can(client, 'connect', 'duplicate', 'nodeClient'))
    return { kind: 'cluster', client: client as ClusterClient };
  if (can(client, 'connect', 'getMasterNode', '_execute'))
    return { kind: 'sentinel', client: client as SentinelClient };
  // A pool of node-redis 5 and 6 has `execute`, and no `subscribe`.
  if (can(client, 'connect', 'duplicate', 'sendCommand', 'subscribe'))
    return { kind: 'server', client: client as ServerClient };
  // Whatever it is may hold a password.
  throw new CachingConfigError('client', kindOf(given), ALLOWED, 'redis()');
}

function inside(store: unknown): unknown {
  return typeof store === 'object' && store !== null && 'client' in store ? store.client : undefined;
}

function can(value: unknown, ...methods: readonly string[]): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    methods.every((method) => typeof (value as Record<string, unknown>)[method] === 'function')
  );
}
