import { randomUUID } from 'node:crypto';
import type { StampPosition } from '../../cache/stamps.js';
import type { RedisLink } from './redis-link.js';
import type { RedisNames } from './redis-names.js';
import { RedisScript } from './redis-script.js';
import { SYNC_SCRIPT } from './redis-scripts.js';

export interface ReplicaWaitOptions {
  /** A link of its own: `WAIT` keeps everything waiting that was sent after it. It is opened and closed here. */
  readonly link: RedisLink;
  readonly names: RedisNames;
  /** How many replicas are waited for. */
  readonly replicas: number;
  /** For how long, in milliseconds. */
  readonly patience: number;
  /** For how long stamps are kept, in milliseconds. */
  readonly life: () => string;
}

/**
 * Waits until replicas have received evictions that were executed. `WAIT` speaks of what its own connection has written:
 * so it follows a write there, which replicas receive after all that the primary had executed before.
 *
 * One wait at a time; evictions that come meanwhile share the next.
 */
export class ReplicaWait {
  readonly #sync = new RedisScript(SYNC_SCRIPT);
  #last: Promise<void> = Promise.resolve();
  #next: { promise: Promise<void>; position: StampPosition } | undefined;

  constructor(private readonly options: ReplicaWaitOptions) {
    options.link.open();
  }

  /** @throws Error where fewer replicas have received what was executed up to `position` in time */
  wait(position: StampPosition): Promise<void> {
    if (this.#next === undefined) this.#next = { promise: this.#afterLast(), position };
    else if (this.#next.position.epoch !== position.epoch || this.#next.position.n < position.n)
      this.#next.position = position;
    return this.#next.promise;
  }

  close(): Promise<void> {
    return this.options.link.close();
  }

  async #afterLast(): Promise<void> {
    await this.#last;
    const position = this.#next?.position;
    this.#next = undefined;
    const attempt = this.#attempt(position as StampPosition);
    // Those who asked are told of a failure; whoever waits next only has to know that it is over.
    this.#last = attempt.catch(() => undefined);
    await attempt;
  }

  /** A primary that does not know of the position begins another epoch, in which nothing older is valid. */
  async #attempt({ epoch, n }: StampPosition): Promise<void> {
    const { link, names, replicas, patience, life } = this.options;
    const [, reached] = await this.#sync.runBefore(
      link,
      [names.stamps, names.position],
      [randomUUID(), life(), epoch, String(n), '1', 'write'],
      ['WAIT', String(replicas), String(patience)],
    );
    if (Number(reached) < replicas)
      throw new Error(`${String(reached)} of ${replicas} replicas have received the eviction`);
  }
}
