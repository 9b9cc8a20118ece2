import type { Clock } from '../../cache/clock.js';
import { CacheStoreError } from '../../caching.errors.js';
import { Flights, isErrorReply } from './flights.js';
import { KeptConnection } from './kept-connection.js';
import type { Dial, NodeConnection } from './node-connection.js';
import { MAX_IN_FLIGHT } from './own-client.js';
import type { RedisCommand, RedisReply } from './redis-link.js';

const PING: RedisCommand = ['PING'];
const ASKING: RedisCommand = ['ASKING'];

/** Late commands in a row after which a connection that does answer others counts as silent. */
const LATE_IN_A_ROW = 3;

/**
 * A connection that answers nothing for so long is replaced. Milliseconds: node-redis 4 says nothing when it was sent
 * something that is no reply, and has to be back soon after the server is.
 */
const SILENT_TOO_LONG = 1_000;

/** No more than one fresh connection a second because of READONLY: it may be a replica for good. */
const ASK_AGAIN_AFTER = 1_000;

export interface NodeLinkHost {
  readonly clock: Clock;
  /** Milliseconds after which a command has failed. */
  readonly timeout: number;
  readonly dial: Dial;
  /** Commands can be sent, again or for the first time. */
  onReady(): void;
  /** The connection was lost, or is silent: commands fail at once until `onReady`. */
  onTrouble(): void;
  /** An error reply: it may tell that another server is the primary now. */
  onErrorReply(error: Error): void;
  onError(operation: string, error: unknown): void;
  /** Told for each change, and of a breaker that was never closed once connecting has failed. */
  onBreaker?: ((state: 'open' | 'closed') => void) | undefined;
}

/**
 * The way to one server: a connection that is replaced when it is lost or silent, a deadline for each command, and a
 * circuit breaker, so that commands fail at once while no answer can be expected.
 */
export class NodeLink {
  readonly #flights: Flights;
  readonly #kept: KeptConnection;
  /** The connection there is. */
  #connection: NodeConnection | undefined;
  /** The same while the breaker is closed. */
  #usable: NodeConnection | undefined;
  /** What commands fail with at once, by their names: making an error costs more than the rest of a miss. */
  readonly #refusals = new Map<string, CacheStoreError>();
  #late = 0;
  #askedAgain = false;
  #isToldOpen = false;
  #cancelReplace: () => void = () => undefined;

  constructor(private readonly host: NodeLinkHost) {
    const { clock, timeout, dial } = host;
    this.#flights = new Flights({
      clock,
      timeout,
      onReply: () => {
        this.#late = 0;
      },
      onErrorReply: (error) => {
        if (error.message.startsWith('READONLY')) this.#askAgain();
        host.onErrorReply(error);
      },
      onTimeout: (isSilent) => {
        this.#late++;
        if (isSilent || this.#late >= LATE_IN_A_ROW) this.#trip();
      },
    });
    this.#kept = new KeptConnection({
      clock,
      dial,
      prepare: ping,
      onUp: (connection) => this.#use(connection),
      onDown: () => this.#leave(),
      onError: (error) => {
        if (this.#usable === undefined) this.#tellBreaker('open');
        host.onError('connect', error);
      },
    });
  }

  get isReady(): boolean {
    return this.#usable !== undefined;
  }

  open(): void {
    this.#kept.open();
  }

  /**
   * @param isAsked whether a node of a cluster sent the command here, for this once
   * @throws CacheStoreError within the timeout, at once while the server can't be reached or is silent
   */
  send(command: RedisCommand, isAsked = false): Promise<RedisReply> {
    const connection = this.#usable;
    const operation = String(command[0]);
    if (connection === undefined) return Promise.reject(this.#refusal(operation));
    if (this.#flights.size >= MAX_IN_FLIGHT)
      return Promise.reject(new CacheStoreError(operation, `failed: ${MAX_IN_FLIGHT} commands wait already`));
    // What is wrong with it is wrong with the command that follows it.
    if (isAsked) connection.send(ASKING).catch(() => undefined);
    return this.#flights.track(operation, connection.send(command));
  }

  /** Both over the same connection, one right after the other: they are sent in one turn of the event loop. */
  sendPair(
    command: RedisCommand,
    follower: RedisCommand,
    isAsked = false,
  ): Promise<readonly [RedisReply, RedisReply]> {
    return Promise.all([this.send(command, isAsked), this.send(follower)]);
  }

  /** Opens a fresh connection and then ends the one there is: whom it reaches may have changed. */
  replace(): void {
    this.#kept.replace();
  }

  #refusal(operation: string): CacheStoreError {
    let refusal = this.#refusals.get(operation);
    if (refusal === undefined) {
      const problem = this.#connection === undefined ? 'is not connected' : 'does not answer';
      refusal = new CacheStoreError(operation, `failed: Redis ${problem}`);
      this.#refusals.set(operation, refusal);
    }
    return refusal;
  }

  async close(): Promise<void> {
    this.#refusals.clear();
    this.#cancelReplace();
    this.#connection = undefined;
    this.#usable = undefined;
    // Of a server that is none of ours any more.
    this.#tellBreaker('closed');
    await this.#kept.close();
  }

  #use(connection: NodeConnection): void {
    this.#connection = connection;
    this.#recover();
  }

  #recover(): void {
    this.#refusals.clear();
    this.#cancelReplace();
    this.#kept.keep();
    this.#late = 0;
    this.#usable = this.#connection;
    this.#tellBreaker('closed');
    this.host.onReady();
  }

  #leave(): void {
    this.#refusals.clear();
    this.#cancelReplace();
    this.#connection = undefined;
    this.#usable = undefined;
    this.#tellBreaker('open');
    this.host.onTrouble();
  }

  #tellBreaker(state: 'open' | 'closed'): void {
    const isOpen = state === 'open';
    if (isOpen === this.#isToldOpen) return;
    this.#isToldOpen = isOpen;
    this.host.onBreaker?.(state);
  }

  /** Opens the breaker. One PING at a time asks whether it can be closed again. */
  #trip(): void {
    if (this.#usable === undefined) return;
    const connection = this.#usable;
    this.#usable = undefined;
    this.#refusals.clear();
    this.#tellBreaker('open');
    this.host.onTrouble();
    this.#probe(connection);
  }

  #probe(connection: NodeConnection): void {
    const { clock, timeout } = this.host;
    let isLate = false;
    const cancelLate = clock.after(timeout, () => {
      isLate = true;
    });
    this.#cancelReplace();
    this.#cancelReplace = clock.after(SILENT_TOO_LONG, () => this.#kept.replace());
    ping(connection).then(
      () => {
        cancelLate();
        if (connection !== this.#connection) return;
        // It answers, but too late to be of use. What was sent before has been read by now, so ask once more.
        if (isLate) this.#probe(connection);
        else this.#recover();
      },
      // A lost connection is replaced anyway.
      () => cancelLate(),
    );
  }

  #askAgain(): void {
    if (this.#askedAgain) return;
    this.#askedAgain = true;
    this.#kept.replace();
    this.host.clock.after(ASK_AGAIN_AFTER, () => {
      this.#askedAgain = false;
    });
  }
}

/** An error is an answer too: the commands will say what is wrong. */
async function ping(connection: NodeConnection): Promise<void> {
  try {
    await connection.send(PING);
  } catch (error) {
    if (!isErrorReply(error)) throw error;
  }
}
