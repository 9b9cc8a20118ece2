import { type Clock, elapsed } from './clock.js';

/** Where a person will read of it. */
export interface TroubleLog {
  error(message: string): void;
  log(message: string): void;
}

/** A connection that is late or lost for a moment is not worth a line: milliseconds without any success. */
const PATIENCE = 1_000;

/** Nor is each failure of a store that comes and goes: milliseconds between two lines. */
const REST = 60_000;

/**
 * Says once that a store fails, and once that it answers again: requests don't notice, so nobody would look for why
 * nothing is cached.
 */
export class StoreTrouble {
  #since: number | undefined;
  #isSaid = false;
  #saidAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly clock: Clock,
    private readonly to: TroubleLog,
  ) {}

  failed(error: Error): void {
    const now = elapsed(this.clock);
    this.#since ??= now;
    if (this.#isSaid || now - this.#since < PATIENCE || now - this.#saidAt < REST) return;
    this.#isSaid = true;
    this.#saidAt = now;
    this.to.error(`${error.message}. Until it answers, requests run their handlers.`);
  }

  worked(): void {
    if (this.#since === undefined) return;
    const seconds = ((elapsed(this.clock) - this.#since) / 1000).toFixed(1);
    this.#since = undefined;
    if (!this.#isSaid) return;
    this.#isSaid = false;
    this.to.log(`The cache store answers again, after ${seconds} s.`);
  }
}
