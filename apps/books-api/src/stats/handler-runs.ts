import { Injectable } from '@nestjs/common';

/** How often each handler really ran: what a cache is judged by. Handlers count themselves. */
@Injectable()
export class HandlerRuns {
  readonly #runs = new Map<string, number>();

  count(handler: string): void {
    this.#runs.set(handler, (this.#runs.get(handler) ?? 0) + 1);
  }

  all(): Record<string, number> {
    return Object.fromEntries([...this.#runs].toSorted(([a], [b]) => a.localeCompare(b)));
  }
}
