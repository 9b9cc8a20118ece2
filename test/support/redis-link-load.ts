import { setTimeout as delay } from 'node:timers/promises';
import { poll } from './redis/poll.js';
import type { RedisLink, RedisReply } from '../../libs/caching/src/stores/redis/redis-link.js';

const PAUSE_MS = 5;
const WORKERS = 4;
const QUIET_MS = 300;

/** Stored under these keys; of sizes that take one packet and several. */
const VALUES: ReadonlyMap<string, Buffer> = new Map([
  ['load:a', Buffer.alloc(20_000, 'A')],
  ['load:b', Buffer.alloc(9_000, 200)],
  ['load:c', Buffer.from('short')],
]);

/** Reads and writes through a link until it is stopped, and looks at each answer. */
export class RedisLinkLoad {
  /** Answers that were another key's, or bytes that nobody stored. */
  wrong = 0;
  /** How long each command took that failed, in milliseconds. */
  readonly failures: number[] = [];
  #lastFailureAt = 0;
  #isRunning = true;
  readonly #workers: Promise<void>[];

  private constructor(private readonly link: RedisLink) {
    this.#workers = Array.from({ length: WORKERS }, (_, i) => this.#work(i));
  }

  /** Stores what is going to be read, and begins. */
  static async start(link: RedisLink): Promise<RedisLinkLoad> {
    for (const [key, value] of VALUES)
      await poll(`${key} to be stored`, () => link.send(key, ['SET', key, value]));
    return new RedisLinkLoad(link);
  }

  /** The time in milliseconds that all but one of a hundred failed commands needed at the most. */
  get slowest(): number {
    const sorted = [...this.failures].sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length * 0.99)] ?? 0;
  }

  /** The same of half of them. */
  get median(): number {
    const sorted = [...this.failures].sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? 0;
  }

  /**
   * Waits until nothing has failed for 300 ms.
   *
   * @param since as `performance.now()` gave it
   * @returns milliseconds from `since` to the last failure
   */
  async recovered(since: number, timeoutMs: number): Promise<number> {
    const until = performance.now() + timeoutMs;
    while (performance.now() < until) {
      const now = performance.now();
      if (now - Math.max(this.#lastFailureAt, since) > QUIET_MS)
        return Math.max(0, this.#lastFailureAt - since);
      await delay(10);
    }
    return Infinity;
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    await Promise.all(this.#workers);
  }

  async #work(turn: number): Promise<void> {
    const all = [...VALUES];
    let i = turn;
    while (this.#isRunning) {
      const [key, value] = all[i++ % all.length] as [string, Buffer];
      const startedAt = performance.now();
      try {
        const reply = await this.link.send(key, ['GET', key]);
        if (!isValueOrMissing(reply, value)) this.wrong++;
        // A server that was restarted has forgotten it.
        if (reply === null) await this.link.send(key, ['SET', key, value]);
      } catch {
        this.#lastFailureAt = performance.now();
        this.failures.push(this.#lastFailureAt - startedAt);
      }
      await delay(PAUSE_MS);
    }
  }
}

function isValueOrMissing(reply: RedisReply, value: Buffer): boolean {
  return reply === null || (Buffer.isBuffer(reply) && reply.equals(value));
}
