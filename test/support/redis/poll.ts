import { setTimeout as delay } from 'node:timers/promises';

/**
 * Asks until something is there.
 *
 * @param what for the error's message, as in 'redis-server on 14000 to answer'
 * @param ask answers undefined while it isn't there; what it throws counts as that, and is the cause of the error
 * @param timeoutMs how long to ask, in milliseconds
 * @param everyMs pause between two questions, in milliseconds
 * @throws Error when the time is over
 */
export async function poll<T>(
  what: string,
  ask: () => Promise<T | undefined>,
  timeoutMs = 10_000,
  everyMs = 10,
): Promise<T> {
  const until = performance.now() + timeoutMs;
  let cause: unknown;
  while (performance.now() < until) {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      cause = error;
    }
    await delay(everyMs);
  }
  throw new Error(`waited ${timeoutMs} ms for ${what}`, { cause });
}
