import { createClient } from '@redis/client';
import { setTimeout as delay } from 'node:timers/promises';

/** Characters of a value at first, and of the smallest: with the last of them, Redis is full to the brim. */
const SIZE = { first: 100_000, last: 100 } as const;

/** Milliseconds between two values. */
const EVERY = 2;

/** Milliseconds before the next try after one that Redis refused. */
const WHEN_FULL = 10;

/** Another application that shares the Redis and fills it up. */
export class Filler {
  #taken = 0;
  #isOver = false;
  readonly #work: Promise<void>;

  private constructor(private readonly client: ReturnType<typeof createClient>) {
    this.#work = this.#fill();
  }

  static async start(url: string): Promise<Filler> {
    const client = createClient({ url });
    client.on('error', () => undefined);
    await client.connect();
    return new Filler(client as ReturnType<typeof createClient>);
  }

  /** Stops, and removes what it has stored. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#work;
    const keys = Array.from({ length: this.#taken }, (_, i) => `filler:${i}`);
    if (keys.length > 0) await this.client.unlink(keys);
    this.client.destroy();
  }

  async #fill(): Promise<void> {
    let size: number = SIZE.first;
    while (!this.#isOver) {
      try {
        await this.client.set(`filler:${this.#taken}`, 'x'.repeat(size));
        this.#taken++;
        await delay(EVERY);
      } catch {
        size = Math.max(SIZE.last, size / 2);
        await delay(WHEN_FULL);
      }
    }
  }
}
