import type { Clock } from '../../cache/clock.js';
import type { StampPosition } from '../../cache/stamps.js';
import type { SqliteFile } from './sqlite-file.js';
import type { SqliteSequence } from './sqlite-sequence.js';

/** Milliseconds between two looks at whether other processes have written, which is a number in shared memory. */
const LOOK_EVERY = 25;

export interface SqliteWatchHost {
  readonly clock: Clock;
  readonly sequence: SqliteSequence;
  /** @throws Error where it can't be opened */
  readonly file: () => SqliteFile;
  readonly onEviction: (position: StampPosition, tags: readonly string[] | undefined) => void;
  readonly onHearing: (hears: boolean) => void;
  readonly onError: (error: unknown) => void;
}

/** Hears of evictions of other processes by looking at the file. */
export class SqliteWatch {
  #told: StampPosition | undefined;
  #version: number | undefined;
  #hears = false;
  #cancel: () => void = () => undefined;

  constructor(private readonly host: SqliteWatchHost) {}

  /** Looks now and then, until it is closed. */
  look(): void {
    try {
      this.#hear(this.host.file().version);
    } catch (error) {
      if (this.#hears) this.host.onError(error);
      this.#setHearing(false);
    }
    this.#cancel = this.host.clock.after(LOOK_EVERY, () => this.look());
  }

  /** Tells what was not told yet, in order. */
  tell(): void {
    const { sequence, file, onEviction } = this.host;
    const position = sequence.position(file());
    const told = this.#told;
    if (position === undefined) return;
    // At the beginning, all that was evicted before is asked for.
    if (told === undefined && this.#version === undefined) {
      this.#told = position;
      return;
    }
    const evictions = sequence.told(file(), told ?? { epoch: position.epoch, n: 0 });
    if (evictions === 'ask') {
      this.#told = position;
      onEviction(position, undefined);
      return;
    }
    // Which may be more than there were a moment ago.
    this.#told = evictions.at(-1)?.position ?? position;
    for (const each of evictions) onEviction(each.position, each.tags);
  }

  /** The file is another one from now on: what was told of the one before says nothing of it. */
  leave(): void {
    this.#version = undefined;
    this.#setHearing(false);
  }

  close(): void {
    this.#cancel();
    this.#setHearing(false);
  }

  #hear(version: number): void {
    if (version !== this.#version) this.tell();
    this.#version = version;
    this.#setHearing(true);
  }

  #setHearing(hears: boolean): void {
    if (this.#hears === hears) return;
    this.#hears = hears;
    this.host.onHearing(hears);
  }
}
