import type { Clock } from '../../cache/clock.js';
import { CacheStoreError } from '../../caching.errors.js';
import type { RedisReply } from './redis-link.js';

/** Commands of the same window share one timer: each fails after 90 to 100 % of the timeout. */
const WINDOWS_PER_TIMEOUT = 10;

/** Turns of the event loop by which a deadline is put off while replies are being read: a few milliseconds. */
const GRACE_TURNS = 8;

export interface FlightsHost {
  readonly clock: Clock;
  /** Milliseconds. */
  readonly timeout: number;
  /** Redis answered in time, with an error or not. */
  onReply(): void;
  /** Redis answered with an error. */
  onErrorReply(error: Error): void;
  /** A command was not answered in time; `isSilent` if nothing else was since it was sent. */
  onTimeout(isSilent: boolean): void;
}

interface Flight {
  readonly operation: string;
  readonly resolve: (reply: RedisReply) => void;
  readonly reject: (error: CacheStoreError) => void;
  readonly window: number;
  isOver: boolean;
  next: Flight | undefined;
}

/**
 * Commands that wait for their reply, each with the same deadline. They are answered in the order they were sent, so a
 * list with the oldest first is enough, and a timer for those that were sent within a few milliseconds of each other.
 */
export class Flights {
  #oldest: Flight | undefined;
  #newest: Flight | undefined;
  #size = 0;
  #window = 0;
  #isWindowOpen = false;
  #repliedIn = 0;

  constructor(private readonly host: FlightsHost) {}

  /** How many wait. */
  get size(): number {
    return this.#size;
  }

  /** Settles as `reply` does, or rejects when it is late; each failure is a CacheStoreError. */
  track(operation: string, reply: Promise<RedisReply>): Promise<RedisReply> {
    if (!this.#isWindowOpen) this.#openWindow();
    return new Promise<RedisReply>((resolve, reject) => {
      const flight: Flight = {
        operation,
        resolve,
        reject,
        window: this.#window,
        isOver: false,
        next: undefined,
      };
      if (this.#newest === undefined) this.#oldest = flight;
      else this.#newest.next = flight;
      this.#newest = flight;
      this.#size++;
      reply.then(
        (value) => this.#succeed(flight, value),
        (error: unknown) => this.#fail(flight, error),
      );
    });
  }

  #succeed(flight: Flight, value: RedisReply): void {
    if (flight.isOver) return;
    this.#land(flight);
    this.#replied();
    flight.resolve(value);
  }

  #fail(flight: Flight, error: unknown): void {
    if (flight.isOver) return;
    this.#land(flight);
    if (isErrorReply(error)) {
      this.#replied();
      this.host.onErrorReply(error);
    }
    const problem = error instanceof Error ? `failed: ${error.message}` : 'failed';
    flight.reject(new CacheStoreError(flight.operation, problem, { cause: error }));
  }

  #replied(): void {
    this.#repliedIn = this.#window;
    this.host.onReply();
  }

  #land(flight: Flight): void {
    flight.isOver = true;
    this.#size--;
    while (this.#oldest?.isOver === true) {
      const { next } = this.#oldest;
      // Tenured by the collector, it would keep all that came after it, replies too, until a full collection.
      this.#oldest.next = undefined;
      this.#oldest = next;
    }
    if (this.#oldest === undefined) this.#newest = undefined;
  }

  #openWindow(): void {
    this.#isWindowOpen = true;
    const window = ++this.#window;
    const { clock, timeout } = this.host;
    clock.after(timeout / WINDOWS_PER_TIMEOUT, () => {
      this.#isWindowOpen = false;
    });
    clock.after(timeout, () => this.#readFirst(window, GRACE_TURNS));
  }

  /** A process that stood still meanwhile reads what has arrived before it calls anything late. */
  #readFirst(window: number, turns: number): void {
    const before = this.#oldest;
    if (before === undefined || before.window > window) return;
    setImmediate(() => {
      if (turns > 1 && before !== this.#oldest) this.#readFirst(window, turns - 1);
      else this.#failLate(window);
    });
  }

  #failLate(window: number): void {
    for (let late = this.#oldest; late !== undefined && late.window <= window; late = this.#oldest) {
      this.#land(late);
      late.reject(new CacheStoreError(late.operation, `failed: no answer within ${this.host.timeout} ms`));
      this.host.onTimeout(this.#repliedIn <= late.window);
    }
  }
}

/** Redis' own errors begin with a code in capitals. The majors' error classes have nothing else in common. */
export function isErrorReply(error: unknown): error is Error {
  return error instanceof Error && /^[A-Z][A-Z0-9_]+(?: |$)/.test(error.message);
}
