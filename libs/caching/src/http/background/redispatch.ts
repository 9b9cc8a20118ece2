import { AsyncResource } from 'node:async_hooks';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { BackgroundWork } from '../../cache/background-work.js';
import type { Clock } from '../../cache/clock.js';
import { type DispatchOptions, type DispatchOutcome, type DispatchRequest, mark } from './dispatch.js';

/** How many run at a time. */
const MAX_RUNNING = 32;

/** How many more may wait for their turn; what comes then is dropped, and asked for again by who needs it. */
const MAX_WAITING = 1_024;

/** How long shutting down waits for what runs, in milliseconds. */
const CLOSING = 5_000;

export interface RedispatcherOptions {
  /** The application's HTTP server; nothing before there is one. */
  readonly server: () => Pick<Server, 'emit' | 'listenerCount'> | undefined;
  readonly clock: Clock;
  /** Milliseconds after which a run is given up. */
  readonly deadline: number;
  readonly background: BackgroundWork;
  readonly maxRunning?: number;
  readonly maxWaiting?: number;
}

interface Job {
  readonly request: DispatchRequest;
  readonly options: DispatchOptions;
  readonly settle: (outcome: DispatchOutcome) => void;
}

/**
 * Sends requests through the whole application, middleware and guards included, that no client waits for. Bounded in
 * number and in time; nothing of a run is kept beyond it.
 */
export class Redispatcher {
  readonly #options: RedispatcherOptions;
  readonly #waiting: Job[] = [];
  readonly #running = new Set<() => void>();
  /** Whoever asks for a run does so in the middle of a client's request, whose async context it must not see. */
  readonly #outside = new AsyncResource('nestjs-caching.background', { requireManualDestroy: true });
  #isClosed = false;

  constructor(options: RedispatcherOptions) {
    this.#options = options;
  }

  /** Whether any request may be one of ours: most of the time there is nothing to look up. */
  get isActive(): boolean {
    return this.#running.size > 0;
  }

  /** Whether one more would be taken. */
  get hasRoom(): boolean {
    const { maxRunning = MAX_RUNNING, maxWaiting = MAX_WAITING } = this.#options;
    return !this.#isClosed && (this.#running.size < maxRunning || this.#waiting.length < maxWaiting);
  }

  /** Runs a request. Never rejects; what came of it is in the outcome. */
  run(request: DispatchRequest, options: DispatchOptions): Promise<DispatchOutcome> {
    if (this.#isClosed) return Promise.resolve(dropped('closed'));
    if (!this.hasRoom) return Promise.resolve(dropped('busy'));
    const outcome = new Promise<DispatchOutcome>((settle) => {
      this.#waiting.push({ request, options, settle });
    });
    this.#options.background.add(outcome);
    this.#startNext();
    return outcome;
  }

  /** Waits for what runs, for some seconds at the most, and takes nothing more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { settle } of this.#waiting.splice(0)) settle(dropped('closed'));
    await this.#options.background.done(CLOSING);
    for (const giveUp of this.#running) giveUp();
  }

  #startNext(): void {
    const { maxRunning = MAX_RUNNING } = this.#options;
    while (this.#running.size < maxRunning) {
      const job = this.#waiting.shift();
      if (job === undefined) return;
      this.#outside.runInAsyncScope(() => this.#start(job));
    }
  }

  #start({ request, options, settle }: Job): void {
    const { clock, deadline } = this.#options;
    let abort: () => void = () => undefined;
    let isTaken = false;
    let isWaiting = false;
    const end = (outcome: DispatchOutcome): void => {
      if (!this.#running.delete(giveUp)) return;
      cancel();
      settle(outcome);
      this.#startNext();
    };
    const giveUp = (): void => {
      end(dropped(isWaiting && !isTaken ? 'elsewhere' : 'deadline'));
      abort();
    };
    this.#running.add(giveUp);
    const cancel = clock.after(deadline, giveUp);
    void this.#send(request, (node, response) => {
      mark(node, {
        ...options,
        settle: end,
        take: () => (isTaken = true),
        wait: () => (isWaiting = true),
      });
      abort = () => hangUp(node, response);
      response.once('finish', () => {
        if (!isTaken) end(dropped('unreached', response.statusCode));
      });
    }).catch(() => end(dropped('failed')));
  }

  async #send(
    { method, target, headers, body, remoteAddress, encrypted }: DispatchRequest,
    begin: (request: IncomingMessage, response: ServerResponse) => void,
  ): Promise<void> {
    const server = this.#options.server();
    if (server === undefined || server.listenerCount('request') === 0) throw new Error('no HTTP server');
    const { inject } = await import('light-my-request');
    const pass = (request: IncomingMessage, response: ServerResponse): void => {
      // As it came: what parses targets here tidies paths.
      request.url = target;
      // Who sends it is no browser, and the key may know that there was no such field.
      if (headers['user-agent'] === undefined) delete request.headers['user-agent'];
      if (encrypted === true) Object.assign(request.socket, { encrypted });
      begin(request, response);
      server.emit('request', request, response);
    };
    const options = {
      // Any that its router knows.
      method: method as 'GET',
      url: '/',
      headers,
      // Its body goes by, rather than being gathered: what is stored of it has been recorded.
      payloadAsStream: true,
      ...(body !== undefined && { payload: body }),
      ...(remoteAddress !== undefined && { remoteAddress }),
    };
    await new Promise<void>((resolve, reject) => {
      inject(pass, options, (error, reply) => {
        // `null` for nothing, whatever the types say.
        if (!reply) return reject(error ?? new Error('no reply'));
        reply.stream().on('error', reject).resume();
        resolve();
      });
    });
  }
}

/** What a client that leaves looks like: streams end, and nothing partial is stored. */
function hangUp(request: IncomingMessage, response: ServerResponse): void {
  Object.assign(request.socket, { destroyed: true });
  request.emit('close');
  response.emit('close');
}

function dropped(
  reason: Extract<DispatchOutcome, { result: 'dropped' }>['reason'],
  status?: number,
): DispatchOutcome {
  return { result: 'dropped', reason, status };
}
