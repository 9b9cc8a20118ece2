import type { Clock } from '../../cache/clock.js';
import { isErrorReply } from './flights.js';
import { KeptConnection } from './kept-connection.js';
import type { Dial, NodeConnection } from './node-connection.js';
import type { RedisCommand } from './redis-link.js';

const PING: RedisCommand = ['PING'];

/** A subscriber that hears nothing can't tell why: it asks so often. Milliseconds. */
const BEAT = 500;

/** Beats without an answer after which the connection is replaced: a second. */
const SILENT_BEATS = 2;

export interface SubscriptionHost {
  readonly clock: Clock;
  readonly dial: Dial;
  readonly channel: string;
  onMessage(message: string): void;
  /** Whether messages arrive. What was published between `false` and `true` may have been missed. */
  onHearing(hears: boolean): void;
  onError(operation: string, error: unknown): void;
}

/** Hears one channel, on a connection of its own that is replaced when it is lost or silent. */
export class Subscription {
  readonly #kept: KeptConnection;
  #connection: NodeConnection | undefined;
  #hears = false;
  #cancelBeat: () => void = () => undefined;

  constructor(private readonly host: SubscriptionHost) {
    const { clock, dial, channel } = host;
    this.#kept = new KeptConnection({
      clock,
      dial,
      prepare: (connection) => connection.subscribe(channel, (message) => host.onMessage(message)),
      onUp: (connection) => this.#listen(connection),
      onDown: () => {
        this.#connection = undefined;
        this.#cancelBeat();
        this.#tell(false);
      },
      onError: (error) => host.onError('subscribe', error),
    });
  }

  open(): void {
    this.#kept.open();
  }

  /** Subscribes on a fresh connection and then ends the one there is. */
  replace(): void {
    this.#kept.replace();
  }

  async close(): Promise<void> {
    this.#cancelBeat();
    this.#connection = undefined;
    await this.#kept.close();
  }

  #listen(connection: NodeConnection): void {
    this.#connection = connection;
    this.#kept.keep();
    // Messages may have been published between the end of one connection and the beginning of the other.
    this.#tell(false);
    this.#tell(true);
    this.#beat(connection);
  }

  #tell(hears: boolean): void {
    if (hears === this.#hears) return;
    this.#hears = hears;
    this.host.onHearing(hears);
  }

  /** Asks whether messages still come, and once more as soon as an answer came late: late messages are no use. */
  #beat(connection: NodeConnection): void {
    let silentBeats = 0;
    let isAnswered = false;
    const wait = (): void => {
      this.#cancelBeat = this.host.clock.after(BEAT, () => {
        if (isAnswered) {
          this.#beat(connection);
          return;
        }
        silentBeats++;
        this.#tell(false);
        if (silentBeats === SILENT_BEATS) this.#kept.replace();
        wait();
      });
    };
    this.#cancelBeat();
    wait();
    const answered = (): void => {
      if (connection !== this.#connection) return;
      isAnswered = true;
      this.#kept.keep();
      if (silentBeats > 0) this.#beat(connection);
      else this.#tell(true);
    };
    connection.send(PING).then(answered, (error: unknown) => {
      if (isErrorReply(error)) answered();
    });
  }
}
