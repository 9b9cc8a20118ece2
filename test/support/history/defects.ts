import { isEntry } from '../../../libs/caching/src/cache/entry.js';
import { SharedLog } from '../../../libs/caching/src/cache/shared-log.js';
import type { MemoryStore } from '../../../libs/caching/src/stores/memory.store.js';
import type { TieredStore } from '../../../libs/caching/src/stores/tiered.store.js';

/** What is taken out of the shipped code, to see that its absence is found. */
export const DEFECTS = [
  /** Whatever lies in the shared tier is current. */
  'no stamp check',
  /** A hit in process is served without a question, however long nothing was heard. */
  'trusted memory',
  /** Until an eviction is acknowledged, nothing keeps what it concerns from being taken from the shared tier. */
  'no holds',
  /** Where the sequence stands is asked, and the answer not looked at. */
  'position ignored',
  /** The place in the sequence from which a fill starts is read when its handler has ended. */
  'late start',
] as const;
export type Defect = (typeof DEFECTS)[number];

const WITHOUT: Partial<Record<Defect, Partial<Record<keyof SharedLog, () => unknown>>>> = {
  'no stamp check': { isCurrent: () => true },
  'no holds': { hold: () => undefined },
  'position ignored': { covers: () => true },
};

/** Runs `work` on code that has the defect. Those that are not here are a matter of how an instance is built. */
export async function withDefect<T>(defect: Defect | undefined, work: () => Promise<T>): Promise<T> {
  const replaced = Object.entries((defect && WITHOUT[defect]) ?? {});
  const prototype = SharedLog.prototype as unknown as Record<string, unknown>;
  const shipped = replaced.map(([name]) => [name, prototype[name]] as const);
  for (const [name, replacement] of replaced) prototype[name] = replacement;
  try {
    return await work();
  } finally {
    for (const [name, method] of shipped) prototype[name] = method;
  }
}

/** Takes the distrust of what is in process out of one store. */
export function trustLocal(store: TieredStore, local: MemoryStore): void {
  const shipped = store.lookup.bind(store);
  store.lookup = (key) => {
    const found = local.lookup(key);
    return isEntry(found) ? found : shipped(key);
  };
}
