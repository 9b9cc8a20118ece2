import { setTimeout as delay } from 'node:timers/promises';
import * as fc from 'fast-check';
import { poll } from '../redis/poll.js';
import { type HistoryView, view } from './history-instance.js';
import type { JudgedInstance } from './judged-instance.js';
import { PARTS } from './world.js';

/** What a client does before it begins anew. */
const STEPS = 4_000;
const RECOVERY_MS = 10_000;

export const VIEWS: readonly HistoryView[] = [
  ...PARTS.map((part) => view(part)),
  view('a', 'b'),
  { ...view('c', 'd'), claims: true },
  view('a', 'b', 'c', 'd'),
];

const step = fc.record({
  of: fc.constantFrom(...VIEWS),
  part: fc.constantFrom(...PARTS),
  isWrite: fc.nat({ max: 29 }).map((n) => n === 0),
  /** Milliseconds. */
  idle: fc.nat({ max: 3 }),
});

/** One client after the other of one instance, each as random as the seed says. */
export async function serveClient(
  seed: number,
  instance: () => JudgedInstance,
  isOver: () => boolean,
): Promise<void> {
  const steps = fc.sample(step, { numRuns: STEPS, seed });
  for (let done = 0; !isOver(); done++) {
    const { of, part, isWrite, idle } = steps[done % STEPS] as (typeof steps)[number];
    const judged = instance();
    const served = isWrite ? judged.write(part, () => delay(idle)) : judged.read(of);
    await served.catch((error: unknown) => {
      // The process was killed meanwhile: nobody will know what came of it.
      if (!judged.isOver) throw error;
    });
    await delay(idle);
  }
}

/** Resolves when each instance serves each view from what is stored. */
export async function waitForHits(instances: readonly JudgedInstance[]): Promise<void> {
  for (const instance of instances)
    for (const of of VIEWS) {
      const isHit = async () => (await instance.read(of)) || undefined;
      await poll(`a hit of ${of.key} on ${instance.name}`, isHit, RECOVERY_MS);
    }
}
