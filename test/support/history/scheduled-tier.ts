import type { StampPosition } from '../../../libs/caching/src/cache/stamps.js';
import type { SharedTier, SharedTierHost } from '../../../libs/caching/src/stores/shared-tier.js';
import type { MemoryServer } from './memory-server.js';

/** What becomes of a question, or of a message. */
export const FATES = ['arrives', 'is lost', 'is answered to nobody'] as const;
export type Fate = (typeof FATES)[number];

export interface ScheduledTierOptions {
  readonly server: MemoryServer;
  /** Waits until it is this step's turn. */
  readonly pause: (what: string) => Promise<void>;
  readonly nextFate: () => Fate;
}

/**
 * One instance's way to a server: each question arrives, and each answer comes back, at a time that a scheduler chooses,
 * in any order, or never. So do messages about evictions.
 */
export class ScheduledTier implements SharedTier {
  readonly name = 'scheduled';
  /** Nothing gets through, either way. */
  isCutOff = false;
  readonly #options: ScheduledTierOptions;
  #host: SharedTierHost | undefined;
  #leave: (() => void) | undefined;

  constructor(options: ScheduledTierOptions) {
    this.#options = options;
  }

  get values(): never {
    throw new Error('no plain values here');
  }

  open(host: SharedTierHost): void {
    this.#host = host;
    void this.#listen();
  }

  /** The subscription is lost, noticed at once, and comes back later. */
  async deafen(): Promise<void> {
    if (this.#leave === undefined) return;
    this.#leave();
    this.#leave = undefined;
    this.#host?.onHearing(false);
    await this.#listen();
  }

  lookup(key: string) {
    return this.#ask('lookup', (server) => server.lookup(key));
  }

  position() {
    return this.#ask('position', (server) => server.position());
  }

  sync(known: StampPosition | undefined) {
    return this.#ask('sync', (server) => server.sync(known));
  }

  set(key: string, frame: Buffer) {
    return this.#ask('set', (server) => server.set(key, frame));
  }

  evict(tags: readonly string[]) {
    return this.#ask('evict', (server) => server.evict(tags));
  }

  async close(): Promise<void> {
    this.#host = undefined;
    this.#leave?.();
  }

  async #ask<T>(what: string, work: (server: MemoryServer) => T): Promise<T> {
    const { server, pause, nextFate } = this.#options;
    const fate = nextFate();
    await pause(`${what} arrives`);
    if (fate === 'is lost' || this.isCutOff) throw new Error(`${what} is lost`);
    const answer = work(server);
    await pause(`${what} is answered`);
    if (fate === 'is answered to nobody' || this.isCutOff) throw new Error(`the answer of ${what} is lost`);
    return answer;
  }

  async #listen(): Promise<void> {
    const { server, pause } = this.#options;
    await pause('subscribe arrives');
    if (this.#host === undefined) return;
    this.#leave = server.listen((position, tags) => void this.#tell(position, tags));
    await pause('subscribe is answered');
    this.#host?.onHearing(true);
  }

  async #tell(position: StampPosition, tags: readonly string[]): Promise<void> {
    const isLost = this.#options.nextFate() !== 'arrives';
    await this.#options.pause('message');
    if (!isLost && !this.isCutOff) this.#host?.onEviction(position, tags);
  }
}
