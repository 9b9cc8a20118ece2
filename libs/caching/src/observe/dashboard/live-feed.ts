import type { ServerResponse } from 'node:http';
import type { Clock } from '../../cache/clock.js';
import type { LiveLog, LogLine } from './live-log.js';
import type { LiveStats, RouteTotals, Second } from './live-stats.js';

/** Browsers that may look at once. */
const MAX_READERS = 16;

/** Milliseconds between two messages. */
const TICK = 1_000;

/** Lines in one message; of more, the newest. */
const MAX_LINES = 100;

/** Bytes that may wait for a reader before it is sent no more for now. */
const MAX_WAITING = 256 * 1024;

/** Milliseconds after which a reader that takes nothing is dropped. */
const MAX_STALLED = 20_000;

/** Milliseconds after which a reader has to ask again, which browsers do by themselves: it may not be let in any more. */
const MAX_LIFE = 10 * 60_000;

/** What a message tells: everything since the last one that the reader was sent. */
export interface Tick<Health> {
  readonly now: number;
  readonly seconds: readonly Second[];
  readonly routes: readonly RouteTotals[];
  readonly latency: LiveStats['latency'];
  readonly log: readonly LogLine[];
  /** Lines that were left out. */
  readonly missed: number;
  readonly health: Health;
}

interface Reader {
  readonly response: ServerResponse;
  readonly openedAt: number;
  /** The second up to which it knows all. */
  second: number;
  line: number;
  stalledAt: number | undefined;
}

/**
 * Server-sent events for those who look. A message holds all that happened since the last one, so a slow reader is
 * sent fewer and larger ones, and one that takes nothing is dropped: what waits for readers is bounded.
 */
export class LiveFeed<Health> {
  readonly #readers = new Set<Reader>();
  #cancel: (() => void) | undefined;
  #isClosed = false;

  constructor(
    private readonly clock: Clock,
    private readonly stats: LiveStats,
    private readonly log: LiveLog,
    private readonly health: () => Health,
  ) {}

  get readers(): number {
    return this.#readers.size;
  }

  /** Sends to a response until its client leaves. False: there are too many already, or the application closes. */
  open(response: ServerResponse): boolean {
    if (this.#isClosed || this.#readers.size >= MAX_READERS) return false;
    // It left while it was decided whether it may: nothing tells of that again.
    if (hasLeft(response)) return true;
    const reader: Reader = {
      response,
      openedAt: this.clock.now(),
      second: 0,
      line: Math.max(0, this.log.count - MAX_LINES),
      stalledAt: undefined,
    };
    this.#readers.add(reader);
    const leave = (): void => this.#leave(reader);
    response.on('close', leave);
    response.on('error', leave);
    response.flushHeaders();
    this.#send(reader);
    this.#cancel ??= this.clock.after(TICK, () => this.#tick());
    return true;
  }

  /** Ends all, also those that take nothing, for whose end nobody should wait. */
  close(): void {
    this.#isClosed = true;
    for (const { response } of this.#readers) response.destroy();
    this.#readers.clear();
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #leave(reader: Reader): void {
    this.#readers.delete(reader);
    if (this.#readers.size > 0) return;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #tick(): void {
    this.#cancel = this.clock.after(TICK, () => this.#tick());
    for (const reader of this.#readers) this.#send(reader);
  }

  #send(reader: Reader): void {
    const { response } = reader;
    const now = this.clock.now();
    if (now - reader.openedAt >= MAX_LIFE) return void response.destroy();
    if (response.writableLength > MAX_WAITING || response.writableNeedDrain) {
      reader.stalledAt ??= now;
      if (now - reader.stalledAt >= MAX_STALLED) response.destroy();
      return;
    }
    reader.stalledAt = undefined;
    const seconds = this.stats.since(reader.second - 1);
    const log = this.log.since(reader.line, MAX_LINES);
    const missed = this.log.count - reader.line - log.length;
    const tick: Tick<Health> = {
      now,
      seconds,
      routes: this.stats.routes(),
      latency: this.stats.latency,
      log,
      missed,
      health: this.health(),
    };
    response.write(`data: ${JSON.stringify(tick)}\n\n`);
    reader.second = seconds.at(-1)?.at ?? reader.second;
    reader.line = this.log.count;
  }
}

/** HTTP/2 tells it of its stream. */
function hasLeft(response: ServerResponse & { readonly stream?: { readonly destroyed: boolean } }): boolean {
  return response.destroyed || response.stream?.destroyed === true;
}
