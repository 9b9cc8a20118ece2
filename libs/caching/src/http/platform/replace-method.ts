import type { ServerResponse } from 'node:http';

/**
 * Puts `method` in the place of one of a response's own.
 *
 * Always through here: V8 expects a function literal that is assigned to a property to live long and allocates it
 * among old objects. Made for each request, it keeps all that it refers to alive until a full collection, which on
 * misses made the pauses of the collector twice as long.
 */
export function replaceMethod<T extends ServerResponse, K extends keyof T>(
  response: T,
  name: K,
  method: T[K] & ((...args: never[]) => unknown),
): void {
  response[name] = method;
}
