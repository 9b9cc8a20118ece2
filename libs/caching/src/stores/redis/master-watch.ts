import type { Clock } from '../../cache/clock.js';
import { nameOf } from './cluster-slots.js';
import { endClient, listenForErrors, type SentinelClient, type ServerClient } from './node-redis.js';
import { ownClient } from './own-client.js';
import { Signal } from './signal.js';

/** Milliseconds between two looks at what the sentinel client knows; looking asks nobody. */
const LOOK_EVERY = 250;

/** A sentinel client of ours that knows no master for so long is replaced. Milliseconds. */
const BLIND_TOO_LONG = 3_000;

const NO_MASTER = 'the sentinels know no master, or the given sentinel client is not connected';

export interface MasterWatchHost {
  readonly given: SentinelClient;
  readonly clock: Clock;
  /** Another server is the master now. */
  readonly onMaster: () => void;
  readonly onError: (error: unknown) => void;
}

/**
 * Knows which server is the master, by a sentinel client of node-redis that follows the sentinels: a duplicate of the
 * given one with major 6; major 5 can't duplicate it, so there the given one itself is watched, and has to be connected.
 */
export class MasterWatch {
  #sentinel: SentinelClient | undefined;
  #template: ServerClient | undefined;
  /** Given when a master is known. */
  readonly #known = new Signal();
  #master: string | undefined;
  #isLearning = false;
  #blindLooks = 0;
  #isClosed = false;
  #cancelLook: () => void = () => undefined;

  constructor(private readonly host: MasterWatchHost) {}

  open(): void {
    this.#renew();
    this.#look();
  }

  /**
   * A client for the master, not connected yet. Waits until there was one.
   *
   * @throws Error while a failover is under way
   */
  async client(): Promise<ServerClient> {
    await this.#known.wait();
    const master = this.#sentinel?.getMasterNode();
    if (this.#template === undefined || master === undefined) throw new Error(NO_MASTER);
    return ownClient(this.#template, master);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelLook();
    this.#known.giveUp('the link was closed');
    this.#end();
  }

  #look(): void {
    if (this.#isClosed) return;
    this.#see();
    this.#cancelLook = this.host.clock.after(LOOK_EVERY, () => this.#look());
  }

  #see(): void {
    const sentinel = this.#sentinel;
    const master = sentinel?.isReady === true ? sentinel.getMasterNode() : undefined;
    if (sentinel !== undefined && master !== undefined) {
      this.#blindLooks = 0;
      if (nameOf(master) !== this.#master) this.#learn(sentinel, nameOf(master));
      return;
    }
    this.#blindLooks++;
    if (this.#blindLooks * LOOK_EVERY < BLIND_TOO_LONG) return;
    this.#blindLooks = 0;
    this.host.onError(new Error(NO_MASTER));
    this.#renew();
  }

  /** Takes the client that is connected to the master as the one to duplicate: it has the options for servers. */
  #learn(sentinel: SentinelClient, master: string): void {
    if (this.#isLearning) return;
    this.#isLearning = true;
    const isFirst = this.#master === undefined;
    // oxlint-disable-next-line no-underscore-dangle -- the only way to a client that has the options for servers
    const handedOut = sentinel._execute(false, (client) => {
      this.#template = client;
    });
    handedOut
      .then(
        () => {
          this.#master = master;
          this.#known.give();
          if (!this.#isClosed && !isFirst) this.host.onMaster();
        },
        (error: unknown) => this.host.onError(error),
      )
      .finally(() => {
        this.#isLearning = false;
      });
  }

  #renew(): void {
    const { given, onError } = this.host;
    if (given.duplicate === undefined) {
      this.#sentinel = given;
      return;
    }
    this.#end();
    const sentinel = given.duplicate({});
    listenForErrors(sentinel);
    this.#sentinel = sentinel;
    sentinel.connect().then(
      () => {
        if (sentinel !== this.#sentinel) endClient(sentinel);
        else if (this.#master === undefined) this.#see();
      },
      (error: unknown) => {
        if (!this.#isClosed) onError(error);
      },
    );
  }

  #end(): void {
    const sentinel = this.#sentinel;
    this.#sentinel = undefined;
    if (sentinel !== undefined && sentinel !== this.host.given) endClient(sentinel);
  }
}
