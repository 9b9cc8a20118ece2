import { type Clock, elapsed } from '../cache/clock.js';
import type { StampPosition } from '../cache/stamps.js';

/** A question to the shared tier: when it was sent, and what was known then. */
export interface Asked {
  readonly at: number;
  /** The same by a clock that is never set. */
  readonly since: number;
  readonly known: StampPosition | undefined;
  readonly doubts: number;
}

/** How long ago it was last proven that nothing was missed which others evicted. */
export class Proof {
  /** When the question was asked whose answer proved it. */
  #at = Number.NEGATIVE_INFINITY;
  #since = Number.NEGATIVE_INFINITY;
  #doubts = 0;
  /** The newest of them all, doubted or not. */
  #newest: number | undefined;

  /** @param validity how long it holds, in milliseconds */
  constructor(
    private readonly clock: Clock,
    private readonly validity: number,
  ) {}

  get holds(): boolean {
    const age = this.clock.now() - this.#at;
    // Below zero the clock was set back: since when is not known.
    if (age < 0 || age > this.validity) return false;
    // Set back by less than its age it looks younger than it is. The other clock stands still while a machine sleeps.
    return elapsed(this.clock) - this.#since <= this.validity;
  }

  /** Milliseconds since it was last known that nothing was missed; nothing where it never was. */
  get lag(): number | undefined {
    return this.#newest === undefined ? undefined : Math.max(0, this.clock.now() - this.#newest);
  }

  ask(known: StampPosition | undefined): Asked {
    return { at: this.clock.now(), since: elapsed(this.clock), known, doubts: this.#doubts };
  }

  /** Something was missed, or may have been: only a question that is asked from now on can prove the contrary. */
  doubt(): void {
    this.#doubts++;
    this.#at = Number.NEGATIVE_INFINITY;
  }

  /** A question that was `asked` has shown that nothing was missed. Tells whether that proves anything now. */
  prove({ at, since, doubts }: Asked): boolean {
    if (doubts !== this.#doubts) return false;
    if (since > this.#since || !this.holds) {
      this.#at = at;
      this.#since = since;
    }
    this.#newest = this.#at;
    return true;
  }
}
