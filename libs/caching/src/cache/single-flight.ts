import { type Clock, elapsed } from './clock.js';
import type { SharedResponse } from './entry.js';
import { isSamePosition, type StampPosition } from './stamps.js';
import type { Variant, VariantKeyOf } from './variants.js';

/**
 * What becomes of a request that waited for another's fill: it is given the response, or it runs its own
 * handler (`alone`, or `late` where the flight's time is over), or it asks the cache again (`retry`), where the first to do so leads the next flight.
 */
export type FlightOutcome = SharedResponse | 'alone' | 'late' | 'retry';

/** How a fill in progress ended, as its waiters have to know it. */
export type FlightResult =
  | (SharedResponse & {
      readonly current: boolean;
      /** Where it is not for all requests of the flight's key. */
      readonly variant?: Variant | undefined;
    })
  /** The response is for its own client only, or nobody knows when it ends. */
  | 'uncacheable'
  /** Its waiters have waited for long enough. */
  | 'late'
  /** The fill ended without a response: its client left, or its stream was cut. */
  | 'aborted';

interface Waiter {
  readonly arrivedAt: StampPosition;
  readonly variantKeyOf: VariantKeyOf | undefined;
  readonly resolve: (outcome: FlightOutcome) => void;
}

const NO_TAGS: readonly string[] = [];

/** One fill in progress and the requests that wait for it. */
export class Flight {
  /** Made for the first of them: most flights have none. */
  #waiters: Waiter[] | undefined;
  #cancelDeadline: (() => void) | undefined;

  constructor(
    readonly key: string,
    readonly start: StampPosition,
    /** By a clock that is never set, as are all times here: nobody waits for longer because of one that is. */
    readonly startedAt: number,
    /** Tags known so far; those that the handler adds on the way are appended. */
    public tags: readonly string[],
    private readonly flights: SingleFlight,
  ) {}

  get waiters(): number {
    return this.#waiters?.length ?? 0;
  }

  /** Waits for the result, until the flight's deadline. */
  wait(arrivedAt: StampPosition, variantKeyOf?: VariantKeyOf): Promise<FlightOutcome> {
    this.#cancelDeadline ??= this.flights.armDeadline(this);
    return new Promise((resolve) => (this.#waiters ??= []).push({ arrivedAt, variantKeyOf, resolve }));
  }

  /**
   * Ends the flight; a second call does nothing. A waiter is given the response only if nothing that concerns it
   * was evicted between the start of the fill and the waiter's arrival: it may not see what was true before. Nor one
   * that turned out to be another variant than its own.
   */
  settle(result: FlightResult): void {
    this.flights.remove(this);
    this.#cancelDeadline?.();
    // V8 keeps a map's outgrown tables, with the flights in them, until its next full collection.
    this.tags = NO_TAGS;
    const waiters = this.#waiters ?? [];
    this.#waiters = undefined;
    for (const { arrivedAt, variantKeyOf, resolve } of waiters) {
      if (result === 'uncacheable') resolve('alone');
      else if (result === 'late') resolve('late');
      else if (result === 'aborted' || !isItsVariant(result.variant, variantKeyOf)) resolve('retry');
      else resolve(result.current || isSamePosition(arrivedAt, this.start) ? result : 'retry');
    }
  }
}

/** RFC 9111 §4.1, for those who came before anybody knew by what the response is chosen. */
function isItsVariant(variant: Variant | undefined, keyOf: VariantKeyOf | undefined): boolean {
  return variant === undefined || keyOf?.(variant.vary) === variant.key;
}

export interface SingleFlightOptions {
  readonly clock: Clock;
  /** How long after a fill's start its waiters stop waiting, in milliseconds. */
  readonly timeout: number;
  readonly maxWaiters: number;
  readonly isCurrent: (start: StampPosition, tags: readonly string[]) => boolean;
}

/** At most one fill per key: the first request leads, those that come while it runs wait. */
export class SingleFlight {
  readonly #flights = new Map<string, Flight>();

  constructor(private readonly options: SingleFlightOptions) {}

  get size(): number {
    return this.#flights.size;
  }

  /**
   * The flight to wait for; `'full'` where too many wait already; nothing where the caller should lead. A flight
   * that lost against an eviction, or passed its deadline, takes no one aboard, nor does one that had started by `after`.
   */
  find(key: string, after = Number.NEGATIVE_INFINITY): Flight | 'full' | undefined {
    const flight = this.#flights.get(key);
    if (
      flight === undefined ||
      flight.startedAt <= after ||
      this.#isOver(flight) ||
      !this.options.isCurrent(flight.start, flight.tags)
    ) {
      return undefined;
    }
    return flight.waiters < this.options.maxWaiters ? flight : 'full';
  }

  lead(key: string, start: StampPosition, tags: string[]): Flight {
    const flight = new Flight(key, start, elapsed(this.options.clock), tags, this);
    // In the order of their starts: what has passed its deadline and never ended stands at the front.
    for (const oldest of this.#flights.values()) {
      if (!this.#isOver(oldest)) break;
      oldest.settle('late');
    }
    this.#flights.delete(key);
    this.#flights.set(key, flight);
    return flight;
  }

  remove(flight: Flight): void {
    // A newer flight may have taken the place of one that lost against an eviction.
    if (this.#flights.get(flight.key) === flight) this.#flights.delete(flight.key);
  }

  armDeadline(flight: Flight): () => void {
    const left = flight.startedAt + this.options.timeout - elapsed(this.options.clock);
    return this.options.clock.after(Math.max(0, left), () => flight.settle('late'));
  }

  #isOver(flight: Flight): boolean {
    return flight.startedAt + this.options.timeout <= elapsed(this.options.clock);
  }
}
