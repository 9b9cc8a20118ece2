import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Bytes that this process uses. */
export interface MemoryUse {
  /** What is alive: the heap after a collection, and the buffers beside it. */
  readonly live: number;
  readonly rss: number;
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Collects garbage first; twice, as memory of buffers is given back after the collection that found them dead. */
export async function memoryUse(): Promise<MemoryUse> {
  for (let pass = 0; pass < 2; pass++) {
    collect();
    await nextTurn();
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { live: heapUsed + external, rss };
}
