import { get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { makeBody, type Size } from './bodies.js';
import { CONNECTIONS, type Extent, sendLoad } from './load.js';
import type { Usage } from './messages.js';
import type { Reads, RedisProcess } from './redis-process.js';
import type { Platform, Row } from './rows.js';
import type { ServerProcess } from './server-process.js';

/**
 * The part of a run that is sent before the CPU is read: a server that was idle while others ran first meets the
 * collections that V8 plans for a quiet process, which one under load does not.
 */
const LEAD_IN = 0.25;

/** A store that connects when it is first needed may not have the first response. Milliseconds. */
const STORED_WITHIN = 5_000;

/** What the store of the module's defaults holds, and what an entry takes of it beside its body at least, in bytes. */
const FULL_STORE = 64 * 1024 * 1024;
const ENTRY = 600;

/** What one run of one cell gave. */
export interface Sample {
  /** Microseconds of the server's CPU time for one request. */
  readonly cpu: number;
  readonly perSecond: number;
}

/** What is said of a row's server on a platform with bodies of one size: of one process. */
export interface Measurement {
  readonly row: Row;
  readonly platform: Platform;
  readonly size: Size;
  readonly samples: readonly Sample[];
  /** What went wrong in any of its runs: no ratio is made of it then. */
  readonly problem: string | undefined;
}

interface Count extends Usage {
  readonly reads: Reads | undefined;
}

export interface CellOptions {
  readonly row: Row;
  readonly platform: Platform;
  readonly size: Size;
  readonly server: ServerProcess;
  /** The one that the server uses, if it does. */
  readonly redis: RedisProcess | undefined;
}

/**
 * How much longer rows are warmed up whose requests are all new: more code has to be compiled for them, and fewer come in
 * a second. After 15,000 misses one still took 120 µs, after 40,000 it took 83.
 */
const NEW_URLS_LONGER = 3;

/** A row on a platform with bodies of one size, while one process serves it, and all that was measured of that. */
export class Cell implements Measurement {
  readonly row: Row;
  readonly platform: Platform;
  readonly size: Size;
  readonly samples: Sample[] = [];
  problem: string | undefined;
  #requestsPerRun = 0;
  #sent = 0;
  readonly #server: ServerProcess;
  readonly #redis: RedisProcess | undefined;

  constructor({ row, platform, size, server, redis }: CellOptions) {
    this.row = row;
    this.platform = platform;
    this.size = size;
    this.#server = server;
    this.#redis = redis;
  }

  /**
   * Sends requests until code is compiled and, unless that is of no interest, the store is full, and finds how many make
   * a run of `seconds`.
   */
  async warmUp(seconds: { readonly warmUp: number; readonly run: number }, fillsStore = true): Promise<void> {
    await this.#switch();
    await this.#checkBody();
    if (this.row.handlerRuns === 'never') await this.#checkHit();
    const isLong = fillsStore && this.row.urls !== 'same';
    const { perSecond } = await this.#send({ seconds: seconds.warmUp * (isLong ? NEW_URLS_LONGER : 1) });
    // A store that has room takes an entry for less than one that has to drop another for it.
    const missing = FULL_STORE / (this.size * 1024 + ENTRY) - this.#sent;
    if (fillsStore && this.row.stores && missing > 0) await this.#send({ requests: Math.ceil(missing) });
    // A number of requests rather than a time: then none is under way when the CPU time is read.
    this.#requestsPerRun = Math.max(10 * CONNECTIONS, Math.round(perSecond * seconds.run));
  }

  async run(): Promise<void> {
    if (this.problem !== undefined) return;
    await this.#switch();
    await this.#send({ requests: Math.round(this.#requestsPerRun * LEAD_IN) });
    const before = await this.#count();
    const { perSecond, requests } = await this.#send({ requests: this.#requestsPerRun });
    const after = await this.#count();
    this.samples.push({ cpu: (after.cpu - before.cpu) / requests, perSecond });
    this.#checkReads(before, after, requests);
    await this.#checkRuns(before.runs, after.runs, requests);
  }

  async #switch(): Promise<void> {
    const { listens } = this.row;
    if (listens !== undefined) await this.#server.listen(listens);
  }

  async #send(extent: Extent): Promise<{ readonly perSecond: number; readonly requests: number }> {
    const result = await sendLoad(
      {
        port: this.#server.port,
        target: this.row.urls === 'same' ? this.#target() : () => this.#target(),
        bodyLength: this.size * 1024,
      },
      extent,
    );
    this.problem ??= result.problem;
    return result;
  }

  #target(): string {
    const path = `/json/${this.size}`;
    return this.row.urls === 'same' ? path : `${path}?n=${this.#sent++}`;
  }

  /** Whether the row did what it is called after. */
  async #checkRuns(before: number, after: number, requests: number): Promise<void> {
    const runs = after - before;
    const expected = { never: 0, always: requests, unknown: runs }[this.row.handlerRuns];
    if (runs !== expected) this.problem ??= `${runs} runs of the handler for ${requests} requests`;
    if (!this.row.stores) return;
    await fetchText(this.#server.port, `/json/${this.size}?n=${this.#sent - 1}`);
    if ((await this.#server.usage()).runs !== after) this.problem ??= 'what missed was not stored';
  }

  async #count(): Promise<Count> {
    const reads = await this.#redis?.reads();
    return { ...(await this.#server.usage()), reads };
  }

  /** Whether each request was answered from where the row says. */
  #checkReads(before: Count, after: Count, requests: number): void {
    const { reads } = this.row;
    if (reads === 'unknown' || before.reads === undefined || after.reads === undefined) return;
    const gets = after.reads.get - before.reads.get;
    const mgets = after.reads.mget - before.reads.mget;
    // Servers that wait read a position with GET now and then.
    const holds = {
      never: mgets === 0 && gets < Math.max(requests / 10, 10),
      get: gets >= requests,
      mget: mgets === requests,
    }[reads];
    if (!holds) this.problem ??= `${gets} GET and ${mgets} MGET for ${requests} requests`;
  }

  /** Asked again, it is a hit with the same body. What is stored off the response path is there a little later. */
  async #checkHit(): Promise<void> {
    const until = performance.now() + STORED_WITHIN;
    for (;;) {
      const before = await this.#count();
      await this.#checkBody();
      const after = await this.#count();
      if (this.problem !== undefined) return;
      if (after.runs === before.runs) return this.#checkReads(before, after, 1);
      if (performance.now() > until) {
        this.problem = 'no request is a hit';
        return;
      }
      await delay(20);
    }
  }

  async #checkBody(): Promise<void> {
    const text = await fetchText(this.#server.port, this.#target());
    if (text !== JSON.stringify(makeBody(this.size))) this.problem ??= 'a body that is not the expected one';
  }
}

function fetchText(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path, agent: false, timeout: 10_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve(text));
      response.on('error', reject);
    });
    request.on('timeout', () => request.destroy(new Error('no answer')));
    request.on('error', reject);
  });
}
