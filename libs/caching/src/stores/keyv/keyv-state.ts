import { randomUUID } from 'node:crypto';
import type { StampDelta } from '../../cache/shared-log.js';
import type { StampPosition } from '../../cache/stamps.js';
import { decodePart, decodeSnapshot, type Snapshot } from './keyv-snapshot.js';
import { KeyvStamps, type StampEntry } from './keyv-stamps.js';
import { type KeyvStateOptions, KeyvWriter } from './keyv-writer.js';

/**
 * The sequence of evictions and the generation of values: ruled by this process, and written down so that what was
 * acknowledged is known to its next life.
 */
export class KeyvState {
  readonly #stamps: KeyvStamps;
  readonly #writer: KeyvWriter;
  #position: StampPosition;

  private constructor(stamps: KeyvStamps, writer: KeyvWriter) {
    this.#stamps = stamps;
    this.#writer = writer;
    this.#position = { epoch: stamps.epoch, n: stamps.n };
  }

  /**
   * Takes over what an earlier life wrote down. Where anything of it is missing or damaged a new epoch begins, in which
   * nothing that was stored before is valid. Rejects where that can't be told, as the store fails.
   */
  static async load(options: KeyvStateOptions): Promise<KeyvState> {
    const { clock } = options;
    const found = await read(options);
    const { epoch, n, floor } = found?.snapshot ?? { epoch: randomUUID(), n: 0, floor: 0 };
    const stamps = new KeyvStamps(clock, { epoch, n, floor });
    for (const entry of found?.filed ?? []) stamps.restore(entry, true);
    for (const entry of found?.tail ?? []) stamps.restore(entry, false);
    const writer = new KeyvWriter(options, stamps, found?.snapshot);
    await writer.write();
    return new KeyvState(stamps, writer);
  }

  /** The last place that is written down: one that only memory knows could come a second time after a crash. */
  get position(): StampPosition {
    const { written } = this.#writer;
    if (this.#position.n !== written) this.#position = { epoch: this.#stamps.epoch, n: written };
    return this.#position;
  }

  /** Names the values of now. */
  get generation(): string {
    return this.#writer.generation;
  }

  delta(known: StampPosition | undefined): StampDelta {
    const { position } = this;
    const isSame = known !== undefined && known.epoch === position.epoch && known.n <= position.n;
    return this.#stamps.delta(isSame ? known.n : -1, position.n);
  }

  /** Resolves when it is written down. Where that fails it counts nevertheless, for as long as this process lives. */
  async evict(tags: readonly string[]): Promise<StampPosition> {
    const n = this.#stamps.evict(tags);
    await this.#writer.write();
    return { epoch: this.#stamps.epoch, n };
  }

  async renewGeneration(): Promise<void> {
    this.#writer.generation = randomUUID();
    await this.#writer.write();
  }

  /** Resolves when nothing is being written. */
  settle(): Promise<void> {
    return this.#writer.settle();
  }
}

interface Found {
  readonly snapshot: Snapshot;
  readonly filed: readonly StampEntry[];
  readonly tail: readonly StampEntry[];
}

/** What was written, if it is whole. */
async function read({ records, names, clock }: KeyvStateOptions): Promise<Found | undefined> {
  const snapshot = decodeSnapshot(await records.get(names.main));
  if (snapshot === undefined) return undefined;
  if ((await records.get(names.anchor(snapshot.anchor))) !== snapshot.anchor) return undefined;
  const filed: StampEntry[] = [];
  for (const part of snapshot.parts) {
    const stamps = decodePart(await records.get(names.part(part.id)), part);
    if (stamps === undefined) return undefined;
    for (const [tag, n] of stamps) filed.push([tag, { n, at: part.at }]);
  }
  const at = clock.now();
  return { snapshot, filed, tail: snapshot.tail.map(([tag, n]) => [tag, { n, at }]) };
}
