import {
  type ApplicationOptions,
  type Platform,
  type RunningApplication,
  startApplication,
} from './application.js';
import { type WireOptions, wireRequest, type WireResponse } from './wire.js';

/** One application twice: with the cache and without. */
export interface Twins {
  readonly cached: RunningApplication;
  readonly plain: RunningApplication;
  /** What a client gets without the cache, from a miss and from a hit. */
  play(target: string, options?: WireOptions): Promise<Played>;
  close(): Promise<void>;
}

export interface Played {
  readonly plain: WireResponse;
  readonly miss: WireResponse;
  readonly hit: WireResponse;
  readonly verdicts: readonly (string | undefined)[];
}

/** Unless they say otherwise, without the entity tags that the cache adds on purpose: all else has to be the same. */
export async function startTwins(platform: Platform, options: ApplicationOptions): Promise<Twins> {
  const cached = await startApplication(platform, {
    ...options,
    caching: options.caching !== false && { etag: false, ...options.caching },
  });
  const plain = await startApplication(platform, { ...options, caching: { enabled: false } });
  return {
    cached,
    plain,
    play: async (target, request) => {
      const without = await wireRequest(plain.port, target, request);
      const miss = await wireRequest(cached.port, target, request);
      const hit = await wireRequest(cached.port, target, request);
      return { plain: without, miss, hit, verdicts: [without.verdict, miss.verdict, hit.verdict] };
    },
    close: async () => {
      await cached.close();
      await plain.close();
    },
  };
}

/** The verdicts of `play` where the second request was served from the cache. */
export const REPLAYED = [undefined, 'MISS', 'HIT'];
