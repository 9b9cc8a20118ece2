import type { StampPosition } from '../../libs/caching/src/cache/stamps.js';
import type { SharedTier, SharedTierHost } from '../../libs/caching/src/stores/shared-tier.js';

/** A shared tier in this process that does what a test tells it to, when it tells it to. */
export class ManualTier implements SharedTier {
  readonly name = 'manual';
  readonly frames = new Map<string, Buffer>();
  /** Operations in the order they came; evictions with the number of their tags. */
  readonly calls: string[] = [];
  /** Where the sequence stands. */
  at: StampPosition = { epoch: 'e', n: 0 };
  /** All evictions, in order: those of others are put here. */
  readonly stamps: [tag: string, n: number][] = [];
  /** Carried out before an operation: it fails with what this throws. */
  before: (operation: string) => void | Promise<void> = () => undefined;
  /** Waited for between an operation and its answer. */
  after: (operation: string) => void | Promise<void> = () => undefined;
  confirm?: (position: StampPosition) => Promise<void>;
  #host: SharedTierHost | undefined;

  get host(): SharedTierHost {
    if (this.#host === undefined) throw new Error('not open');
    return this.#host;
  }

  get values(): never {
    throw new Error('no plain values here');
  }

  open(host: SharedTierHost): void {
    this.#host = host;
  }

  /** Somebody else evicts, which nobody is told. */
  evictUnheard(tag: string): StampPosition {
    this.at = { ...this.at, n: this.at.n + 1 };
    this.stamps.push([tag, this.at.n]);
    return this.at;
  }

  lookup(key: string) {
    return this.#answer('lookup', () => ({ position: this.at, frame: this.frames.get(key) }));
  }

  position() {
    return this.#answer('position', () => this.at);
  }

  sync(known: StampPosition | undefined) {
    return this.#answer('sync', () => {
      const from = known?.epoch === this.at.epoch ? known.n : 0;
      return { position: this.at, floor: 0, stamps: this.stamps.filter(([, n]) => n > from) };
    });
  }

  set(key: string, frame: Buffer) {
    return this.#answer('set', () => void this.frames.set(key, frame));
  }

  evict(tags: readonly string[]) {
    return this.#answer(`evict ${tags.length}`, () => {
      const at = { ...this.at, n: this.at.n + 1 };
      this.at = at;
      for (const tag of tags) this.stamps.push([tag, at.n]);
      return at;
    });
  }

  async close(): Promise<void> {
    this.calls.push('close');
  }

  async #answer<T>(operation: string, work: () => T): Promise<T> {
    this.calls.push(operation);
    await this.before(operation);
    const answer = work();
    await this.after(operation);
    return answer;
  }
}
