import { setTimeout as pause } from 'node:timers/promises';

const LONGEST = 10_000;

/**
 * Asks until the answer is `true`: for what a server does in its own time.
 *
 * @throws Error after ten seconds
 */
export async function until(what: string, ask: () => Promise<boolean>): Promise<void> {
  const giveUp = performance.now() + LONGEST;
  while (!(await ask())) {
    if (performance.now() > giveUp) throw new Error(`In ${LONGEST} ms this did not happen: ${what}`);
    await pause(10);
  }
}
