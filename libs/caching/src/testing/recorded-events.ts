import type { CacheEvent } from '../observe/cache-event.js';
import { CacheEvents } from '../observe/events.js';

/** What is used of a Nest application. */
export interface TestedApplication {
  get<T>(token: new (...args: never[]) => T, options: { strict: false }): T;
  getHttpServer(): unknown;
}

/** The events of one type. */
export type EventOf<Type extends CacheEvent['type']> = Extract<CacheEvent, { readonly type: Type }>;

/** What the cache of an application told since `recordEvents`. */
export class RecordedEvents {
  readonly #events: CacheEvent[] = [];
  readonly #stop: () => void;

  constructor(app: Pick<TestedApplication, 'get'>) {
    this.#stop = app.get(CacheEvents, { strict: false }).on((event) => {
      this.#events.push(event);
    });
  }

  /** In the order in which they happened. */
  get all(): readonly CacheEvent[] {
    return this.#events;
  }

  ofType<Type extends CacheEvent['type']>(type: Type): EventOf<Type>[] {
    return this.#events.filter((event): event is EventOf<Type> => event.type === type);
  }

  /** Forgets what happened so far. */
  clear(): void {
    this.#events.length = 0;
  }

  /** Hears no more. */
  stop(): void {
    this.#stop();
  }
}

/**
 * Records what the cache of an application tells from now on.
 *
 * @example
 * const events = recordEvents(app);
 * await request(app.getHttpServer()).get('/books');
 * expect(events.ofType('miss')).toHaveLength(1);
 */
export function recordEvents(app: Pick<TestedApplication, 'get'>): RecordedEvents {
  return new RecordedEvents(app);
}
