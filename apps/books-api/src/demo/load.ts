import { setTimeout as delay } from 'node:timers/promises';

/** Milliseconds between an answer and the next request of one client: the load goes on beside the story. */
const PAUSE = 10;
const TIMEOUT = 5_000;

export interface LoadResult {
  readonly requests: number;
  /** One line for each request that was not answered with 200. */
  readonly failures: readonly string[];
  /** How often each verdict was given. */
  readonly verdicts: Readonly<Record<string, number>>;
  /** Milliseconds. */
  readonly median: number;
  readonly slowest: number;
}

/** Clients that ask for one URL after the other, until they are told to stop. */
export class Load {
  readonly #clients: Promise<void>[];
  readonly #stopped = new AbortController();
  #times: number[] = [];
  #failures: string[] = [];
  #verdicts: Record<string, number> = {};

  /** @param clients how many ask at once */
  constructor(
    private readonly urls: readonly string[],
    clients: number,
  ) {
    this.#clients = Array.from({ length: clients }, (_, first) => this.#ask(first));
  }

  /** What happened since the last time this was asked. */
  take(): LoadResult {
    const times = this.#times.toSorted((a, b) => a - b);
    const result = {
      requests: times.length,
      failures: this.#failures,
      verdicts: this.#verdicts,
      median: times[Math.floor(times.length / 2)] ?? 0,
      slowest: times.at(-1) ?? 0,
    };
    this.#times = [];
    this.#failures = [];
    this.#verdicts = {};
    return result;
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await Promise.all(this.#clients);
  }

  async #ask(first: number): Promise<void> {
    for (let at = first; !this.#stopped.signal.aborted; at++) {
      const url = this.urls[at % this.urls.length] ?? '';
      const start = performance.now();
      try {
        const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT) });
        await response.text();
        const verdict = response.headers.get('x-cache') ?? '-';
        this.#verdicts[verdict] = (this.#verdicts[verdict] ?? 0) + 1;
        if (response.status !== 200) this.#failures.push(`${url}: ${response.status}`);
      } catch (error) {
        this.#failures.push(`${url}: ${String(error)}`);
      }
      this.#times.push(performance.now() - start);
      await delay(PAUSE);
    }
  }
}
