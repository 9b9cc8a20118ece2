import type { Clock } from '../../cache/clock.js';
import { type Dial, NodeConnection } from './node-connection.js';

/** Milliseconds from the beginning of one attempt to that of the next. They grow: back soon, and no storm. */
const BACKOFF = { first: 50, longest: 500 };

/** A connection that lived this long was a good one: the pauses begin small again. Milliseconds. */
const GOOD_AFTER = 1_000;

export interface KeptConnectionHost {
  readonly clock: Clock;
  readonly dial: Dial;
  /** Carried out on each new connection before it is used. */
  readonly prepare: (connection: NodeConnection) => Promise<unknown>;
  /** There is a new connection; the one before is ended after this. */
  readonly onUp: (connection: NodeConnection) => void;
  /** The connection was lost, and is being replaced. */
  readonly onDown: (error: unknown) => void;
  /** An attempt to connect failed: the first after a success, or in another way than the one before. */
  readonly onError: (error: unknown) => void;
}

/** Keeps one connection to one place, for ever: a lost one is replaced by a fresh one, one attempt at a time. */
export class KeptConnection {
  #current: NodeConnection | undefined;
  #attempt: Promise<void> | undefined;
  #attempted: NodeConnection | undefined;
  #isReplacing = false;
  #isClosed = false;
  #pause: number = BACKOFF.first;
  #isPausing = false;
  #isDue = false;
  #lastFailure = '';
  #cancelPause: () => void = () => undefined;
  #cancelGood: () => void = () => undefined;

  constructor(private readonly host: KeptConnectionHost) {}

  open(): void {
    this.#try();
  }

  /** Opens another connection beside the one there is, which is ended once the other has answered. */
  replace(): void {
    if (this.#isReplacing) return;
    this.#isReplacing = true;
    this.#try();
  }

  /** The connection there is has proved to be good: no other is needed. */
  keep(): void {
    this.#isReplacing = false;
    if (this.#current !== undefined) this.#isDue = false;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelPause();
    this.#cancelGood();
    this.#current?.end();
    this.#current = undefined;
    this.#attempted?.end();
    await this.#attempt;
  }

  /** Begins an attempt: at once, if the one before began long enough ago. */
  #try(): void {
    if (this.#isClosed || this.#attempt !== undefined) return;
    this.#isDue = this.#isPausing;
    if (this.#isPausing) return;
    this.#startPause();
    this.#attempt = this.#connect().then(() => {
      this.#attempt = undefined;
      this.#attempted = undefined;
      // It failed, or the connection was lost again already.
      if (this.#current === undefined || this.#isReplacing) this.#try();
    });
  }

  #startPause(): void {
    this.#isPausing = true;
    // Jitter downwards: instances that lost the same server don't come back in step, and none later than the longest.
    this.#cancelPause = this.host.clock.after(this.#pause * (1 - Math.random() / 2), () => {
      this.#isPausing = false;
      if (this.#isDue) this.#try();
    });
    this.#pause = Math.min(BACKOFF.longest, this.#pause * 2);
  }

  async #connect(): Promise<void> {
    const { clock, dial, prepare, onUp, onError } = this.host;
    try {
      const connection = await NodeConnection.open(clock, dial, prepare, (attempted) => {
        this.#attempted = attempted;
        if (this.#isClosed) attempted.end();
      });
      if (this.#isClosed || connection.isOver) {
        connection.end();
        return;
      }
      const before = this.#current;
      this.#current = connection;
      this.#isReplacing = false;
      this.#lastFailure = '';
      connection.onLost((error) => this.#lost(connection, error));
      this.#cancelGood();
      this.#cancelGood = clock.after(GOOD_AFTER, () => {
        this.#pause = BACKOFF.first;
      });
      onUp(connection);
      before?.end();
    } catch (error) {
      if (this.#isClosed) return;
      const failure = String(error);
      if (failure !== this.#lastFailure) onError(error);
      this.#lastFailure = failure;
    }
  }

  #lost(connection: NodeConnection, error: unknown): void {
    if (connection !== this.#current) return;
    this.#current = undefined;
    this.#cancelGood();
    this.host.onDown(error);
    this.#try();
  }
}
