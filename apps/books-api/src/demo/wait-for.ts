import { setTimeout as delay } from 'node:timers/promises';

/**
 * Asks every 10 ms until something is there.
 *
 * @param bound milliseconds after which it throws
 */
export async function waitFor<T>(what: string, bound: number, ask: () => Promise<T | undefined>): Promise<T> {
  const until = performance.now() + bound;
  while (performance.now() < until) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await delay(10);
  }
  throw new Error(`Waited ${bound} ms in vain: ${what}`);
}
