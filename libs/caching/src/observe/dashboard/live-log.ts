import type { CacheEvent } from '../cache-event.js';

/** One line of the log: what happened, with nothing of bodies, keys or credentials. */
export interface LogLine {
  /** Counted from 1. */
  readonly n: number;
  readonly at: number;
  readonly type: string;
  readonly route?: string;
  readonly detail: string;
  /** Milliseconds. */
  readonly took?: number;
  /** Stands for the key: requests for one entry have the same. */
  readonly entry?: string;
}

const MAX_LINES = 500;

/** The last events, as lines. */
export class LiveLog {
  readonly #events: CacheEvent[] = [];
  #next = 0;

  take(event: CacheEvent): void {
    // A look-up is told by what it leads to, and a miss by what becomes of its fill.
    if (event.type === 'lookup' || event.type === 'miss' || event.type === 'handled') return;
    this.#events[this.#next++ % MAX_LINES] = event;
  }

  /** How many lines there were. */
  get count(): number {
    return this.#next;
  }

  /** Lines after the `n`th, at most `limit`, the newest of them; made only when somebody looks. */
  since(n: number, limit: number): LogLine[] {
    const first = Math.max(n, this.#next - Math.min(limit, MAX_LINES), 0);
    const lines: LogLine[] = [];
    for (let at = first; at < this.#next; at++)
      lines.push(lineOf(at + 1, this.#events[at % MAX_LINES] as CacheEvent));
    return lines;
  }
}

function lineOf(n: number, event: CacheEvent): LogLine {
  const { at, type } = event;
  const base = { n, at, type, detail: detailOf(event) };
  if (!('route' in event)) return base;
  const { route, request, durationMs } = event;
  const handlerMs = event.type === 'stored' || event.type === 'skipped' ? event.handlerMs : undefined;
  const took = handlerMs ?? durationMs;
  return { ...base, route, took, ...(request.keyDigest !== undefined && { entry: request.keyDigest }) };
}

function detailOf(event: CacheEvent): string {
  switch (event.type) {
    case 'hit':
      return `${event.status}, ${event.reason ?? event.tier}, ${seconds(event.ageMs)} old`;
    case 'stale':
      return `${event.status}, ${event.reason}, ${seconds(event.ageMs)} old`;
    case 'coalesced':
      return `${event.status}, with another request`;
    case 'stored':
      return `${event.status}, ${event.bytes} bytes for ${seconds(event.ttlMs)}`;
    case 'skipped':
      return event.status === undefined ? event.reason : `${event.status}, ${event.reason}`;
    case 'bypassed':
      return event.reason;
    case 'refresh':
      return `${event.reason}, ${event.outcome}`;
    case 'evicted':
      if (event.cause === 'capacity') return `no room, ${event.bytes} bytes`;
      return `${event.tags} ${event.tags === 1 ? 'tag' : 'tags'}${event.acknowledged ? '' : ', not acknowledged yet'}`;
    case 'storeError':
      return event.operation;
    case 'breaker':
      return `${event.store} ${event.state}`;
    case 'coherence':
      return event.change;
    default:
      return event.type;
  }
}

function seconds(ms: number): string {
  return ms < 10_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.round(ms / 1_000)} s`;
}
