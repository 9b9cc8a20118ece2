import { get } from 'node:http';
import { makeBody, type Size } from './bodies.js';
import { CONNECTIONS, type Extent, sendLoad } from './load.js';
import type { Platform, Row } from './rows.js';
import type { ServerProcess } from './server-process.js';

/**
 * The part of a run that is sent before the CPU is read: a server that was idle while others ran first meets the
 * collections that V8 plans for a quiet process, which one under load does not.
 */
const LEAD_IN = 0.25;

/** What one run of one cell gave. */
export interface Sample {
  /** Microseconds of the server's CPU time for one request. */
  readonly cpu: number;
  readonly perSecond: number;
}

/** A row on a platform with bodies of one size, and all that was measured of it. */
export class Cell {
  readonly samples: Sample[] = [];
  /** What went wrong in any of its runs: no ratio is made of it then. */
  problem: string | undefined;
  #requestsPerRun = 0;
  #sent = 0;

  constructor(
    readonly row: Row,
    readonly platform: Platform,
    readonly size: Size,
    private readonly server: ServerProcess,
  ) {}

  get name(): string {
    return `${this.row.name}/${this.platform}/${this.size}`;
  }

  /** Sends requests until code is compiled and caches are filled, and finds how many make a run of `seconds`. */
  async warmUp(seconds: { readonly warmUp: number; readonly run: number }): Promise<void> {
    await this.#checkBody();
    const { perSecond } = await this.#send({ seconds: seconds.warmUp });
    // A number of requests rather than a time: then none is under way when the CPU time is read.
    this.#requestsPerRun = Math.max(10 * CONNECTIONS, Math.round(perSecond * seconds.run));
  }

  async run(): Promise<void> {
    if (this.problem !== undefined) return;
    await this.#send({ requests: Math.round(this.#requestsPerRun * LEAD_IN) });
    const before = await this.server.usage();
    const { perSecond, requests } = await this.#send({ requests: this.#requestsPerRun });
    const after = await this.server.usage();
    this.samples.push({ cpu: (after.cpu - before.cpu) / requests, perSecond });
    await this.#checkRuns(before.runs, after.runs, requests);
  }

  async #send(extent: Extent): Promise<{ readonly perSecond: number; readonly requests: number }> {
    const result = await sendLoad(
      {
        port: this.server.port,
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
    await fetchText(this.server.port, `/json/${this.size}?n=${this.#sent - 1}`);
    if ((await this.server.usage()).runs !== after) this.problem ??= 'what missed was not stored';
  }

  async #checkBody(): Promise<void> {
    const text = await fetchText(this.server.port, this.#target());
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
