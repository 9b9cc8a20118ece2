import { AsyncLocalStorage } from 'node:async_hooks';

const bypassing = new AsyncLocalStorage<true>();

/** Whether anything ever bypassed: looking into async context costs, and most applications never do. */
let isUsed = false;

/** Runs code for which nothing is read from a cache or stored in one. */
export function withoutCache<T>(code: () => T): T {
  isUsed = true;
  return bypassing.run(true, code);
}

/** Whether this is such code, or what it called. */
export function isBypassing(): boolean {
  return isUsed && bypassing.getStore() === true;
}
