import { CacheCallbackError, describe } from '../caching.errors.js';
import { DURATION_RULE, toMilliseconds } from '../duration.js';
import { isTag, TAG_RULE } from '../http/route-tags.js';
import type { Judgement } from './call.js';
import type { MemoizeOptions } from './memoize-options.js';

/** What the options of a memoized function ask of its author's code: an error in it is named after it and the function. */
export class MemoCallbacks {
  constructor(
    private readonly options: MemoizeOptions,
    private readonly route: string,
    /** Milliseconds. */
    private readonly ttl: number,
  ) {}

  /** Runs a callback of the user's. @throws CacheCallbackError */
  ask<T>(callback: string, call: () => T): T {
    try {
      return call();
    } catch (error) {
      const problem = `failed: ${error instanceof Error ? error.message : String(error)}`;
      throw new CacheCallbackError(callback, this.route, problem, { cause: error });
    }
  }

  /** @throws CacheCallbackError */
  decide(callback: string, call: () => unknown): boolean {
    const answer = this.ask(callback, call);
    if (typeof answer === 'boolean') return answer;
    throw this.#misfit(callback, answer, 'true or false, at once');
  }

  /** Labels, as the application writes them. @throws CacheCallbackError */
  tags(callback: string, call: () => unknown): readonly string[] {
    const given = this.ask(callback, call);
    if (Array.isArray(given) && given.every(isTag)) return given;
    throw this.#misfit(callback, given, `a list of ${TAG_RULE}`);
  }

  /** What is said of a result. @throws CacheCallbackError */
  judge(result: unknown, args: readonly unknown[]): Judgement {
    const { resultTags, filter, ttl } = this.options;
    return {
      tags: resultTags === undefined ? [] : this.tags('resultTags', () => resultTags(result, ...args)),
      ttl: typeof ttl === 'function' ? this.#ttlOf(() => ttl(result, ...args)) : this.ttl,
      isWanted: filter === undefined || this.decide('filter', () => filter(result, ...args)),
    };
  }

  #ttlOf(call: () => unknown): number {
    const given = this.ask('ttl', call);
    const ttl = given === undefined ? this.ttl : toMilliseconds(given);
    if (ttl !== undefined) return ttl;
    throw this.#misfit('ttl', given, `${DURATION_RULE}, or undefined`);
  }

  #misfit(callback: string, given: unknown, allowed: string): CacheCallbackError {
    return new CacheCallbackError(callback, this.route, `returned ${describe(given)}; allowed: ${allowed}`);
  }
}
