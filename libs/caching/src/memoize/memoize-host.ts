import type { Memoizer } from './memoizer.js';

/**
 * By which a memoized method finds the cache of its application: Nest puts it into every instance that it makes of a
 * class with such a method. It needs nothing, so that it is there before the cache is, and what the module's own
 * options are made from can have memoized methods, too.
 */
export class MemoizeHost {
  /** From when all modules are there until the application ends. Outside of that, functions run uncached. */
  memoizer: Memoizer | undefined;
}

/** The name of the property. */
export const HOST = Symbol('nestjs-caching.host');

interface Hosted {
  [HOST]?: MemoizeHost;
}

export function hostOf(instance: unknown): MemoizeHost | undefined {
  return (instance as Hosted | null | undefined)?.[HOST];
}

/** For an instance that Nest did not make itself. */
export function giveHost(instance: object, host: MemoizeHost): void {
  // Not among what is seen of it: it is nobody's business when it is printed or compared.
  if (Object.isExtensible(instance))
    Object.defineProperty(instance, HOST, { value: host, configurable: true, writable: true });
}

/** So that what Nest puts into instances of a class is not among what is seen of them. */
export function acceptHost(prototype: object): void {
  if (Object.hasOwn(prototype, HOST)) return;
  Object.defineProperty(prototype, HOST, {
    configurable: true,
    get: () => undefined,
    set(this: object, host: MemoizeHost | undefined) {
      if (host !== undefined) giveHost(this, host);
    },
  });
}
