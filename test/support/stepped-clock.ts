import { FakeClock } from '../../libs/caching/src/testing.js';

/** A clock whose time of day is set, as by somebody or by NTP, while durations go on. */
export class SteppedClock extends FakeClock {
  #step = 0;

  /** @param milliseconds forwards; back where it is negative */
  set(milliseconds: number): void {
    this.#step += milliseconds;
  }

  override now(): number {
    return super.now() + this.#step;
  }

  elapsed(): number {
    return super.now();
  }
}
