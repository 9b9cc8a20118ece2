import type { Clock } from './clock.js';

/** Where a person will read of it. */
export interface TroubleLog {
  error(message: string): void;
  log(message: string): void;
}

/** A store that fails with every other request is not worth a line each: milliseconds between two. */
const REST = 60_000;

/**
 * Says once that a store fails, and once that it answers again: requests don't notice, so nobody would look for why
 * nothing is cached.
 */
export class StoreTrouble {
  #since: number | undefined;
  #saidAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly clock: Clock,
    private readonly to: TroubleLog,
  ) {}

  failed(error: Error): void {
    if (this.#since !== undefined) return;
    const now = this.clock.now();
    if (now - this.#saidAt < REST) return;
    this.#since = this.#saidAt = now;
    this.to.error(`${error.message}. Until it answers, requests run their handlers.`);
  }

  worked(): void {
    if (this.#since === undefined) return;
    const seconds = ((this.clock.now() - this.#since) / 1000).toFixed(1);
    this.#since = undefined;
    this.to.log(`The cache store answers again, after ${seconds} s.`);
  }
}
