import { randomUUID } from 'node:crypto';
import type { StampDelta } from '../../cache/shared-log.js';
import type { StampPosition } from '../../cache/stamps.js';
import type { SqliteFile } from './sqlite-file.js';

/** Stamps that are kept of a namespace, about 100 bytes each. */
const MAX_STAMPS = 100_000;

/** Stamps that an eviction looks at, whether they still matter: with each one go more than come. */
const MAX_SWEPT = 1_000;

/** How many stamps there are is looked at with one eviction of so many, as it takes milliseconds. */
const COUNT_EACH = 128;

/** Stamps that are read at once: a process that missed more drops what it has. */
const MAX_MISSED = 10_000;

interface State {
  readonly epoch: string;
  readonly n: number;
  readonly floor: number;
  readonly life: number;
}

/** An eviction as whoever watches is told of it. */
export interface ToldEviction {
  readonly position: StampPosition;
  /** Those that were not evicted again since. */
  readonly tags: readonly string[];
}

/** Numbers above it are no longer told from their neighbours, and an eviction must have a number of its own. */
const HIGHEST = Number.MAX_SAFE_INTEGER - 1;

/** SQLite's columns take anything: a state that none of us has written is none. */
const STATE =
  'SELECT epoch, n, floor, life FROM states WHERE namespace = ? ' +
  "AND typeof(epoch) = 'text' AND length(epoch) BETWEEN 1 AND 64 AND typeof(n) = 'integer' AND n <= " +
  `${HIGHEST} AND typeof(floor) = 'integer' AND floor BETWEEN 0 AND n ` +
  `AND typeof(life) = 'integer' AND life BETWEEN 0 AND ${HIGHEST}`;
const BEGIN =
  'INSERT INTO states (namespace, epoch, n, floor, life) VALUES (?, ?, 0, 0, ?) ' +
  'ON CONFLICT (namespace) DO UPDATE SET epoch = excluded.epoch, n = 0, floor = 0, life = excluded.life';
const FORGET = 'DELETE FROM stamps WHERE namespace = ?';
const ADVANCE = 'UPDATE states SET n = ?, floor = ?, life = ? WHERE namespace = ?';
const STAMP = 'INSERT OR REPLACE INTO stamps (namespace, tag, n, at) VALUES (?, ?, ?, ?)';
/** What is no number comes as the text that it is, which sorts above all numbers. */
const SINCE =
  `SELECT tag, iif(typeof(n) = 'integer' AND n <= ${HIGHEST}, n, '') AS n ` +
  'FROM stamps WHERE namespace = ? AND n > ? ORDER BY stamps.n DESC, id DESC LIMIT ?';
/** Their numbers ascend with time. */
const OLDEST = 'SELECT n, at FROM stamps WHERE namespace = ? ORDER BY n LIMIT ?';
const SURPLUS = 'SELECT n FROM stamps WHERE namespace = ? ORDER BY n DESC LIMIT 1 OFFSET ?';
const SWEEP = 'DELETE FROM stamps WHERE namespace = ? AND n <= ?';

/** A namespace's sequence of evictions in the file. */
export class SqliteSequence {
  /** @param life how long a stamp may matter to this process, in milliseconds */
  constructor(
    private readonly namespace: string,
    private readonly life: () => number,
  ) {}

  position(file: SqliteFile): StampPosition | undefined {
    const state = this.#state(file);
    return state && { epoch: state.epoch, n: state.n };
  }

  /** Inside of a transaction: what happened since `known`, in another epoch where that can't be told. */
  begun(file: SqliteFile, known: StampPosition | undefined): StampDelta {
    const delta = this.delta(file, known);
    if (delta !== undefined) return delta;
    const { epoch, n, floor } = this.#begin(file);
    return { position: { epoch, n }, floor, stamps: [] };
  }

  /** Inside of a transaction. */
  evict(
    file: SqliteFile,
    tags: readonly string[],
    known: StampPosition | undefined,
    now: number,
  ): StampPosition {
    const state = this.#current(file, known) ?? this.#begin(file);
    const n = state.n + 1;
    const stamp = file.statement(STAMP);
    for (const tag of tags) stamp.run(this.namespace, JSON.stringify(tag), n, now);
    // Another process' entries may live for longer: what was once needed is needed for good.
    const life = Math.max(state.life, Math.ceil(this.life()));
    const floor = this.#sweep(file, { ...state, n }, now - life);
    file.statement(ADVANCE).run(n, floor, life, this.namespace);
    return { epoch: state.epoch, n };
  }

  /**
   * What happened since `known`, or everything where it is another epoch. Nothing where that can't be told: there is no
   * state, one that was rolled back, or a stamp that is none.
   */
  delta(file: SqliteFile, known: StampPosition | undefined): StampDelta | undefined {
    const state = this.#current(file, known);
    if (state === undefined) return undefined;
    const { epoch, n, floor } = state;
    const rows = this.#since(file, known?.epoch === epoch ? known.n : 0);
    if (rows === undefined) return undefined;
    const isCut = rows.length >= MAX_MISSED;
    // Of the last eviction that is read, some tags may be missing.
    const oldest = isCut ? (rows.at(-1)?.[1] ?? 0) : 0;
    return { position: { epoch, n }, floor: Math.max(floor, oldest), stamps: rows.toReversed() };
  }

  /** What happened since, one by one, where nothing of it was dropped meanwhile. */
  told(file: SqliteFile, known: StampPosition): readonly ToldEviction[] | 'ask' {
    const state = this.#state(file);
    if (state === undefined || state.epoch !== known.epoch || state.floor > known.n) return 'ask';
    const rows = this.#since(file, known.n);
    if (rows === undefined || rows.length >= MAX_MISSED || state.n - known.n > MAX_MISSED) return 'ask';
    const evictions = Array.from({ length: state.n - known.n }, (_, at) => ({
      position: { epoch: state.epoch, n: known.n + at + 1 },
      tags: [] as string[],
    }));
    for (const [tag, n] of rows.toReversed()) evictions[n - known.n - 1]?.tags.push(tag);
    return evictions;
  }

  /** Newest first; nothing where one of them can't be read, as nobody knows what it was the eviction of. */
  #since(file: SqliteFile, after: number): [tag: string, n: number][] | undefined {
    const rows = file.statement(SINCE).all(this.namespace, after, MAX_MISSED) as Record<
      'tag' | 'n',
      unknown
    >[];
    const stamps = rows.map(({ tag, n }) => [readTag(tag), n] as const);
    const isReadable = stamps.every(([tag, n]) => tag !== undefined && typeof n === 'number');
    return isReadable ? (stamps as unknown as [string, number][]) : undefined;
  }

  #state(file: SqliteFile): State | undefined {
    return file.statement(STATE).get(this.namespace) as State | undefined;
  }

  /** The state, where it has not been rolled back behind what is known. */
  #current(file: SqliteFile, known: StampPosition | undefined): State | undefined {
    const state = this.#state(file);
    return state === undefined || isBehind(state, known) ? undefined : state;
  }

  /** Inside of a transaction: begins another epoch. */
  #begin(file: SqliteFile): State {
    file.statement(FORGET).run(this.namespace);
    const begun = { epoch: randomUUID(), n: 0, floor: 0, life: Math.ceil(this.life()) };
    file.statement(BEGIN).run(this.namespace, begun.epoch, begun.life);
    return begun;
  }

  /** Returns the floor, which rises to the newest stamp that is dropped. */
  #sweep(file: SqliteFile, { floor, n }: State, before: number): number {
    let risen = floor;
    for (const row of file.statement(OLDEST).all(this.namespace, MAX_SWEPT) as { n: number; at: number }[]) {
      if (row.at >= before) break;
      risen = row.n;
    }
    if (n % COUNT_EACH === 0) {
      const surplus = file.statement(SURPLUS).get(this.namespace, MAX_STAMPS) as { n: number } | undefined;
      risen = Math.max(risen, surplus?.n ?? 0);
    }
    if (risen > floor) file.statement(SWEEP).run(this.namespace, risen);
    return risen;
  }
}

function readTag(text: unknown): string | undefined {
  if (typeof text !== 'string') return undefined;
  try {
    const tag: unknown = JSON.parse(text);
    return typeof tag === 'string' ? tag : undefined;
  } catch {
    // Not what was written there.
    return undefined;
  }
}

function isBehind(state: State, known: StampPosition | undefined): boolean {
  return known !== undefined && known.epoch === state.epoch && known.n > state.n;
}
