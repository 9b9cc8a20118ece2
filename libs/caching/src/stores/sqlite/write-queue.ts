import type { Clock } from '../../cache/clock.js';
import { isBusy } from './sqlite-driver.js';
import type { SqliteFile } from './sqlite-file.js';

/** Milliseconds until a transaction that found the file locked is tried again. */
const TRY_AGAIN = 4;

/** Writes that may wait: beyond it they fail at once. */
const MAX_WAITING = 10_000;

/** Writes that share a transaction: others are let in between. */
const MAX_TOGETHER = 500;

/** How often in a row a write is done once more as its file was removed. */
const MAX_TIMES = 3;

interface Write {
  readonly task: (file: SqliteFile) => unknown;
  readonly isDurable: boolean;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export interface WriteQueueHost {
  readonly file: () => SqliteFile;
  readonly clock: Clock;
  /** Milliseconds after which writes have failed that wait for another process. */
  readonly timeout: number;
}

/**
 * Writes of one turn in one transaction: one write to the disk for all evictions among them. A file that another process
 * has locked is tried again without waiting in a call.
 */
export class WriteQueue {
  #waiting: Write[] = [];
  #isPlanned = false;
  /** Since when the file is locked, as far as was tried. */
  #lockedSince: number | undefined;

  constructor(private readonly host: WriteQueueHost) {}

  /**
   * @param task is done once more where the file that it was done in is gone
   * @param isDurable whether it must not be lost, with the power or with the file
   */
  add<T>(task: (file: SqliteFile) => T, isDurable = false): Promise<T> {
    if (this.#waiting.length >= MAX_WAITING)
      return Promise.reject(new Error('too many writes wait for the file'));
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ task, isDurable, resolve: resolve as (value: unknown) => void, reject });
      this.#plan();
    });
  }

  /** Does now what waits, or fails it. */
  close(): void {
    while (this.#waiting.length > 0) {
      this.#flush();
      if (this.#lockedSince !== undefined) break;
    }
    this.#fail(this.#waiting.splice(0), new Error('the sqlite store was closed'));
  }

  #plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    setImmediate(() => {
      this.#isPlanned = false;
      this.#flush();
    });
  }

  #flush(): void {
    const writes = this.#waiting.splice(0, MAX_TOGETHER);
    if (writes.length === 0) return;
    try {
      this.#write(writes);
      this.#lockedSince = undefined;
    } catch (error) {
      if (isBusy(error)) this.#waitForOthers(writes, error);
      else if (writes.length === 1) this.#fail(writes, error);
      // One of them can't be done: the others can.
      else for (const write of writes) this.#writeAlone(write);
    }
    if (this.#waiting.length > 0 && this.#lockedSince === undefined) this.#plan();
  }

  #write(writes: readonly Write[]): void {
    const isDurable = writes.some((write) => write.isDurable);
    let results: unknown[] = [];
    for (let times = 0; ; times++) {
      const file = this.host.file();
      file.transact(() => {
        results = writes.map(({ task }) => task(file));
      }, isDurable);
      // Whoever has opened the file that is there now would never hear of it.
      if (!isDurable || !file.isGone) break;
      if (times === MAX_TIMES) throw new Error('the file is removed as soon as it is made');
    }
    for (const [at, { resolve }] of writes.entries()) resolve(results[at]);
  }

  #writeAlone(write: Write): void {
    try {
      this.#write([write]);
    } catch (error) {
      this.#fail([write], error);
    }
  }

  #waitForOthers(writes: Write[], error: unknown): void {
    const { clock, timeout } = this.host;
    this.#lockedSince ??= performance.now();
    if (performance.now() - this.#lockedSince > timeout) {
      this.#lockedSince = undefined;
      this.#fail(writes, error);
      return;
    }
    this.#waiting.unshift(...writes);
    clock.after(TRY_AGAIN, () => this.#flush());
  }

  #fail(writes: readonly Write[], error: unknown): void {
    for (const { reject } of writes) reject(error);
  }
}
