import type { RequestTrace } from '../observe/request-trace.js';

/** How results of one kind are kept. Times are milliseconds. */
export interface ResultRules {
  /** What it is called in events and messages. */
  readonly route: string;
  readonly ttl: number;
  readonly staleWhileRevalidate: number;
  readonly staleIfError: number;
  /** The longer of the two. */
  readonly staleFor: number;
  /** What a result may take in memory, in bytes. */
  readonly maxBytes: number;
  readonly isFrozen: boolean;
  /** One run for each key among all instances. */
  readonly clusterWide: boolean;
}

/** What callbacks say of one result. */
export interface Judgement {
  /** Milliseconds. */
  readonly ttl: number;
  /** More tags, as the application writes them. */
  readonly tags: readonly string[];
  readonly isWanted: boolean;
}

/** One call on its way. */
export interface Call {
  readonly rules: ResultRules;
  readonly key: string;
  /** What ends its result, as far as that is known before it is there. A new list each time. */
  tags(): string[];
  run(): unknown;
  /** It is about to wait: what it was called with may be changed by the time that it runs. */
  waits?(): void;
  /** Whether what it was called with is not what its key says any more. */
  isChanged?(): boolean;
  /** May throw: what callbacks of the user's threw. */
  judge(result: unknown): Judgement;
  readonly trace: RequestTrace | undefined;
}

/** What results need of the store, as far as it is known. */
export interface ResultLimits {
  /** The longest time that one lives, in milliseconds. */
  longestLife: number;
  /** The largest one that is stored, in bytes. */
  largestEntry: number;
}
