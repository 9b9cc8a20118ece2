import type { Clock } from '../../../libs/caching/src/cache/clock.js';
import type { StampPosition } from '../../../libs/caching/src/cache/stamps.js';
import type { SharedTier, SharedTierHost } from '../../../libs/caching/src/stores/shared-tier.js';
import { type HistoryWorld, type Part, PARTS } from './world.js';

/** What becomes of what this instance is told of evictions by others. */
export type Messages = 'arrive' | 'are lost' | 'are late';

/** Longer than the next messages take, so that they overtake each other. Milliseconds. */
const LATE = 40;

/**
 * A shared tier that tells the world which evictions it has acknowledged, those that are done again included, and
 * between which and its instance messages get lost.
 */
export class ObservedTier implements SharedTier {
  readonly name: string;
  messages: Messages = 'arrive';
  lost = 0;
  #late = 0;

  constructor(
    private readonly inner: SharedTier,
    private readonly world: HistoryWorld,
    private readonly clock: Clock,
  ) {
    this.name = inner.name;
  }

  open(host: SharedTierHost): void {
    this.inner.open({
      ...host,
      clock: host.clock,
      onEviction: (position, tags) => {
        if (this.messages === 'arrive') host.onEviction(position, tags);
        else if (this.messages === 'are lost') this.lost++;
        // Each other one by more, so that the one behind it comes first.
        else this.clock.after(LATE * (1 + (this.#late++ % 2)), () => host.onEviction(position, tags));
      },
    });
  }

  get values(): SharedTier['values'] {
    return this.inner.values;
  }

  lookup(key: string) {
    return this.inner.lookup(key);
  }

  position() {
    return this.inner.position();
  }

  sync(known: StampPosition | undefined) {
    return this.inner.sync(known);
  }

  set(key: string, frame: Buffer, life: number) {
    return this.inner.set(key, frame, life);
  }

  async evict(tags: readonly string[]): Promise<StampPosition> {
    const written = { ...this.world.data };
    const position = await this.inner.evict(tags);
    for (const tag of tags) if (isPart(tag)) this.world.acknowledge(tag, written[tag]);
    return position;
  }

  async confirm(position: StampPosition): Promise<void> {
    await this.inner.confirm?.(position);
  }

  async lease(key: string, token: string, life: number) {
    return (await this.inner.lease?.(key, token, life)) ?? 'ours';
  }

  async release(key: string, token: string, uncacheableFor?: number) {
    await this.inner.release?.(key, token, uncacheableFor);
  }

  close() {
    return this.inner.close();
  }
}

function isPart(tag: string): tag is Part {
  return (PARTS as readonly string[]).includes(tag);
}
