import type { HistoryInstanceOptions, HistoryView, Seen } from './history-instance.js';
import type { Part, Versions } from './world.js';

/** What an instance in a process of its own is started with. */
export interface ProcessOptions extends Pick<
  HistoryInstanceOptions,
  'coherence' | 'heartbeat' | 'storeTimeout' | 'coalesceTimeout' | 'life'
> {
  readonly url: string;
}

/** To the process: questions, and the answers to its own. */
export type Request =
  | { readonly kind: 'read'; readonly id: number; readonly of: HistoryView }
  | { readonly kind: 'evict'; readonly id: number; readonly part: Part }
  | { readonly kind: 'data'; readonly id: number; readonly versions: Partial<Versions> };

/** From the process. */
export type Answer =
  | { readonly kind: 'seen'; readonly id: number; readonly seen: Seen }
  | { readonly kind: 'evicted'; readonly id: number; readonly acknowledged: boolean }
  | { readonly kind: 'query'; readonly id: number; readonly parts: readonly Part[] };
