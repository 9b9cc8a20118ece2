import { setTimeout as delay } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import type { RedisLink, RedisReply } from '../../libs/caching/src/stores/redis/redis-link.js';
import { LoopWatch, percentile } from './faults/loop-watch.js';
import { poll } from './redis/poll.js';

const PAUSE_MS = 5;
const WORKERS = 4;

/** So many answers for each key, with nothing failed in between, and a link is back. */
const STEADY = 20;

/** Where others use both cores, a server that is well answers late at times: that alone is no fault of a link. */
const LATE = /no answer within|does not answer/;

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
  /** When each command began that failed, and when it did, as `performance.now()` has them. */
  readonly failures: { readonly from: number; readonly to: number }[] = [];
  readonly #watch = new LoopWatch();
  /** Answers of each key since something else than lateness last failed it. */
  readonly #answers = new Map<string, number>();
  /** What began before is no answer of these. */
  #since = Infinity;
  #lastFailure: unknown;
  #isRunning = true;
  readonly #workers: Promise<void>[];

  private constructor(private readonly link: RedisLink) {
    this.#workers = Array.from({ length: WORKERS }, (_, i) => this.#work(i));
  }

  /** Stores what is going to be read, and begins; it ends with the test at the latest. */
  static async start(link: RedisLink): Promise<RedisLinkLoad> {
    for (const [key, value] of VALUES)
      await poll(`${key} to be stored`, () => link.send(key, ['SET', key, value]));
    const load = new RedisLinkLoad(link);
    onTestFinished(() => load.stop());
    return load;
  }

  /**
   * The time in milliseconds that all but one of a hundred failed commands needed at the most, without that in which
   * this process stood still.
   */
  get slowest(): number {
    const own = ({ from, to }: { from: number; to: number }) => to - from - this.#watch.stalled(from, to);
    return percentile(this.failures.map(own), 0.99);
  }

  /** What half of the failed commands needed at the most, in milliseconds. */
  get median(): number {
    return percentile(
      this.failures.map(({ from, to }) => to - from),
      0.5,
    );
  }

  /**
   * Waits until each key was answered again, steadily. Which of the servers' own troubles are over is for the caller
   * to know: the time runs from this call.
   *
   * @returns milliseconds
   * @throws Error, with what failed last as its cause, when it doesn't come to that
   */
  async recovered(timeoutMs: number): Promise<number> {
    this.#since = performance.now();
    this.#answers.clear();
    await poll(
      `${STEADY} answers in a row for each key`,
      async () => {
        if ([...VALUES.keys()].every((key) => (this.#answers.get(key) ?? 0) >= STEADY)) return true;
        throw this.#lastFailure;
      },
      timeoutMs,
    );
    return performance.now() - this.#since;
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    await Promise.all(this.#workers);
    this.#watch.stop();
  }

  async #work(turn: number): Promise<void> {
    const all = [...VALUES];
    let i = turn;
    while (this.#isRunning) {
      const [key, value] = all[i++ % all.length] as [string, Buffer];
      const from = performance.now();
      try {
        const reply = await this.link.send(key, ['GET', key]);
        if (!isValueOrMissing(reply, value)) this.wrong++;
        // A server that was restarted has forgotten it.
        if (reply === null) await this.link.send(key, ['SET', key, value]);
        if (from >= this.#since) this.#answers.set(key, (this.#answers.get(key) ?? 0) + 1);
      } catch (error) {
        this.failures.push({ from, to: performance.now() });
        this.#lastFailure = error;
        if (!LATE.test(String(error))) this.#answers.delete(key);
      }
      await delay(PAUSE_MS);
    }
  }
}

function isValueOrMissing(reply: RedisReply, value: Buffer): boolean {
  return reply === null || (Buffer.isBuffer(reply) && reply.equals(value));
}
