import type { Keyv, KeyvStoreAdapter } from 'keyv';

/** What is asked of a Keyv adapter; `@keyv/sqlite`, `@keyv/memcache`, `@keyv/postgres` and their like have more. */
export type KeyvAdapter = Pick<KeyvStoreAdapter, 'get' | 'set' | 'delete'> & {
  readonly opts?: unknown;
  /** As of an emitter: `error` events are listened to. */
  readonly on?: unknown;
};

export function isAdapter(given: unknown): given is KeyvAdapter {
  return isObject(given) && ['get', 'set', 'delete'].every((name) => typeof given[name] === 'function');
}

/** By its shape, as the application may hold another copy of the package. */
export function isKeyvInstance(given: Keyv | KeyvAdapter): given is Keyv {
  return 'serializeData' in given && isObject(given.opts) && isAdapter(given.opts['store']);
}

export function isObject(given: unknown): given is Record<string, unknown> {
  return typeof given === 'object' && given !== null;
}
