import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';

/** One request: when it arrived and when the cache was done with it, as performance.now() has them. */
export interface CacheTime {
  readonly target: string;
  readonly from: number;
  readonly to: number;
}

/**
 * How long requests were in the hands of the cache: from their arrival to the begin of their handler, or to their end
 * where no handler ran. A write's handler takes no time, so all of a write is the cache's.
 */
export class CacheTimes implements NestInterceptor {
  readonly all: CacheTime[] = [];
  readonly #entered = new WeakMap<IncomingMessage, number>();

  /** Watches the requests of a server. */
  watch(server: Server): void {
    server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
      const from = performance.now();
      response.once('close', () => {
        const to = this.#entered.get(request) ?? performance.now();
        this.all.push({ target: `${request.method} ${request.url}`, from, to });
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
