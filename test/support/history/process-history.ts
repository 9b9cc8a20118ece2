import { setTimeout as delay } from 'node:timers/promises';
import * as fc from 'fast-check';
import type { Coherence } from '../../../libs/caching/src/stores/tiered.store.js';
import { ProcessGroup } from './process-group.js';
import { buildProgram } from './process-instance.js';
import type { ProcessStorage } from './process-storage.js';
import type { HistoryReport } from './redis-history.js';

const trouble = fc.record({
  kind: fc.constantFrom('kill an instance', 'stop an instance', 'storage'),
  place: fc.nat({ max: 2 }),
  milliseconds: fc.integer({ min: 50, max: 600 }),
  /** Milliseconds without trouble, before it. */
  rest: fc.integer({ min: 100, max: 500 }),
});

/**
 * A random history of three processes: they are killed in the middle of what they do and started again, or stand still
 * while the others go on. Ends with the first violation, or when all is over and hits have returned.
 */
export async function runProcesses(options: {
  readonly storage: ProcessStorage;
  readonly coherence: Coherence;
  readonly seed: number;
  readonly troubles: number;
}): Promise<HistoryReport> {
  const { storage, coherence, seed, troubles } = options;
  await using program = await buildProgram();
  const group = new ProcessGroup({ program: program.path, url: storage.url, coherence, seed });
  let count = 0;
  try {
    for (const { kind, place, milliseconds, rest } of fc.sample(trouble, { numRuns: troubles, seed })) {
      await delay(rest);
      if (group.isOver) break;
      if (kind === 'kill an instance') {
        await group.kill(place, () => delay(milliseconds));
      } else if (kind === 'stop an instance') {
        const { instance } = group.at(place);
        instance.stop();
        await delay(milliseconds);
        instance.resume();
      } else {
        await storage.trouble(milliseconds);
      }
      count++;
    }
    await group.finish();
  } finally {
    await group.close();
  }
  return { ...group.count, faults: count, violations: group.world.violations };
}
