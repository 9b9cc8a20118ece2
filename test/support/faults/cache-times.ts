import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';

/** One request: when it arrived and when the cache was done with it, as performance.now() has them. */
export interface CacheTime {
  readonly target: string;
  readonly from: number;
  readonly to: number;
}

/** More requests than the longest fault sees. */
const CAPACITY = 65_536;

/**
 * Times of many requests in memory that is there from the beginning: what is measured is how much memory a cache takes,
 * and an object for each request is more than that.
 */
class TimeRecords {
  readonly #times = new Float64Array(2 * CAPACITY);
  readonly #targets = new Uint16Array(CAPACITY);
  /** Each of them once: a load asks for few. */
  readonly #known = new Map<string, number>();
  #size = 0;

  add(target: string, from: number, to: number): void {
    if (this.#size === CAPACITY) throw new Error(`more than ${CAPACITY} requests`);
    let id = this.#known.get(target);
    if (id === undefined) this.#known.set(target, (id = this.#known.size));
    this.#targets[this.#size] = id;
    this.#times[2 * this.#size] = from;
    this.#times[2 * this.#size + 1] = to;
    this.#size++;
  }

  read(): CacheTime[] {
    const targets = [...this.#known.keys()];
    return Array.from({ length: this.#size }, (_, at) => ({
      target: targets[this.#targets[at] as number] as string,
      from: this.#times[2 * at] as number,
      to: this.#times[2 * at + 1] as number,
    }));
  }
}

/**
 * How long requests were in the hands of the cache: from their arrival to the begin of their handler, or to their end
 * where no handler ran. A write's handler takes no time, so all of a write is the cache's.
 */
export class CacheTimes implements NestInterceptor {
  readonly #records = new TimeRecords();
  readonly #entered = new WeakMap<IncomingMessage, number>();

  get all(): CacheTime[] {
    return this.#records.read();
  }

  /** Watches the requests of a server. */
  watch(server: Server): void {
    server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
      const from = performance.now();
      response.once('close', () => {
        const to = this.#entered.get(request) ?? performance.now();
        this.#records.add(`${request.method} ${request.url}`, from, to);
      });
    });
  }

  /** Inside of the cache's own interceptor, it is called when a handler is about to run. */
  intercept(context: ExecutionContext, next: CallHandler) {
    const request = context.switchToHttp().getRequest<IncomingMessage | { raw: IncomingMessage }>();
    this.#entered.set('raw' in request ? request.raw : request, performance.now());
    return next.handle();
  }
}
