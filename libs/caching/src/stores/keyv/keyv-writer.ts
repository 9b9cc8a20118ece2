import { randomUUID } from 'node:crypto';
import type { Clock } from '../../cache/clock.js';
import type { KeyvRecords } from './keyv-records.js';
import { encodePart, encodeSnapshot, isLong, slicesOf } from './keyv-snapshot.js';
import type { PartReference, Snapshot, WrittenStamp } from './keyv-snapshot.js';
import type { KeyvStamps, StampEntry } from './keyv-stamps.js';

/** With more parts than this, all are written anew, without the stamps of tags that were evicted again since. */
const MAX_PARTS = 64;

/** Records without use that could not be removed: beyond, they are left behind. */
const MAX_GARBAGE = 256;

/** How the records of the state are called. */
export interface StateNames {
  readonly main: string;
  anchor(id: string): string;
  part(id: string): string;
}

export interface KeyvStateOptions {
  readonly records: Pick<KeyvRecords, 'get' | 'set' | 'delete'>;
  readonly names: StateNames;
  readonly clock: Clock;
  /** For how long a stamp can matter, as known at this moment, in milliseconds. */
  readonly longestLife: () => number;
  /** Anchors that this process laid and whose main record may still appear; shared by all attempts to load. */
  readonly condemned: Set<string>;
  readonly onError: (operation: string, error: unknown) => void;
}

/**
 * Writes the state down, one write at a time: the newest stamps in the main record, older ones in parts.
 *
 * A write that failed may still happen, later than others that succeeded, and bring an old state back. So each main
 * record names an anchor, a record without which it is void: after a failure the anchor is removed and another one
 * laid before anything is acknowledged again. Each life of a process lays its own for the same reason.
 */
export class KeyvWriter {
  generation: string;
  readonly #options: KeyvStateOptions;
  readonly #stamps: KeyvStamps;
  #written: number;
  #parts: readonly PartReference[];
  #anchor: string | undefined;
  /** The anchor of the life before: it is removed when what this life wrote can be found. */
  #inherited: string | undefined;
  /** Records that nothing refers to any more. */
  #garbage: string[] = [];
  #last: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(options: KeyvStateOptions, stamps: KeyvStamps, found: Snapshot | undefined) {
    this.#options = options;
    this.#stamps = stamps;
    this.generation = found?.generation ?? randomUUID();
    this.#written = found?.n ?? 0;
    this.#parts = found?.parts ?? [];
    this.#inherited = found?.anchor;
  }

  /** The place up to which all is written. */
  get written(): number {
    return this.#written;
  }

  /** Writes what is known when the write before has ended: all who ask meanwhile share it. */
  write(): Promise<void> {
    this.#next ??= this.#afterLast();
    return this.#next;
  }

  /** Resolves when nothing is being written. */
  settle(): Promise<void> {
    return this.#last;
  }

  async #afterLast(): Promise<void> {
    await this.#last;
    this.#next = undefined;
    const attempt = this.#attempt();
    // Those who asked are told of a failure; whoever writes next only has to know that it is over.
    this.#last = attempt.then(
      () => this.#clean(),
      () => undefined,
    );
    await attempt;
  }

  async #attempt(): Promise<void> {
    const { records, names, condemned, clock, longestLife } = this.#options;
    await this.#removeCondemned();
    this.#stamps.forgetBefore(clock.now() - longestLife());
    const { generation } = this;
    const { epoch, n, floor } = this.#stamps;
    const { parts, tail } = await this.#divide();
    const anchor = this.#anchor ?? (await this.#layAnchor());
    const before = this.#parts;
    condemned.add(anchor);
    try {
      await records.set(names.main, encodeSnapshot({ epoch, n, floor, generation, anchor, parts, tail }));
      if (this.#inherited !== undefined) await records.delete(names.anchor(this.#inherited));
    } catch (error) {
      this.#discard(parts.filter((part) => !before.includes(part)));
      throw error;
    }
    condemned.delete(anchor);
    this.#inherited = undefined;
    this.#anchor = anchor;
    this.#parts = parts;
    this.#written = n;
    if (tail.length === 0) this.#stamps.file(n);
    this.#discard(before.filter((part) => !parts.includes(part)));
  }

  async #removeCondemned(): Promise<void> {
    const { records, names, condemned } = this.#options;
    for (const anchor of condemned) {
      if (anchor === this.#anchor) this.#anchor = undefined;
      await records.delete(names.anchor(anchor));
      condemned.delete(anchor);
    }
  }

  async #layAnchor(): Promise<string> {
    const { records, names, condemned } = this.#options;
    const anchor = randomUUID();
    condemned.add(anchor);
    await records.set(names.anchor(anchor), anchor);
    return anchor;
  }

  /** What goes into the main record itself, and the parts beside it, of which new ones are written. */
  async #divide(): Promise<{ parts: readonly PartReference[]; tail: readonly WrittenStamp[] }> {
    const kept = this.#parts.filter(({ n }) => n > this.#stamps.floor);
    const newest = this.#stamps.tail();
    const tail = newest.map(written);
    if (!isLong(tail)) return { parts: kept, tail };
    if (kept.length < MAX_PARTS) return { parts: [...kept, ...(await this.#writeParts(newest))], tail: [] };
    return { parts: await this.#writeParts(this.#stamps.all()), tail: [] };
  }

  async #writeParts(stamps: readonly StampEntry[]): Promise<PartReference[]> {
    const { records, names } = this.#options;
    const times = new Map(stamps.map(([, { n, at }]) => [n, at]));
    const parts: PartReference[] = [];
    for (const slice of slicesOf(stamps.map(written))) {
      const n = slice.at(-1)?.[1] ?? 0;
      const { text, digest } = encodePart(slice);
      const part = { id: randomUUID(), digest, n, at: times.get(n) ?? 0 };
      parts.push(part);
      try {
        await records.set(names.part(part.id), text);
      } catch (error) {
        this.#discard(parts);
        throw error;
      }
    }
    return parts;
  }

  #discard(parts: readonly PartReference[]): void {
    for (const { id } of parts) this.#garbage.push(this.#options.names.part(id));
    this.#garbage = this.#garbage.slice(-MAX_GARBAGE);
  }

  async #clean(): Promise<void> {
    const { records } = this.#options;
    try {
      for (let name = this.#garbage[0]; name !== undefined; name = this.#garbage[0]) {
        await records.delete(name);
        this.#garbage.shift();
      }
    } catch (error) {
      this.#options.onError('delete', error);
    }
  }
}

function written([tag, { n }]: StampEntry): WrittenStamp {
  return [tag, n];
}
