import { isBypassing } from '../cache/bypass.js';
import type { Clock } from '../cache/clock.js';
import { type Entry, isEntry } from '../cache/entry.js';
import type { HeldValue } from '../cache/held-value.js';
import { isPromiseLike, type MaybePromise } from '../cache/maybe-promise.js';
import type { BypassReason } from '../cache/reasons.js';
import type { Missed, ViewCache } from '../cache/view-cache.js';
import { CachingConfigError } from '../caching.errors.js';
import type { ResolvedOptions } from '../caching.options.js';
import type { CacheEvents } from '../observe/events.js';
import type { ResultLimits, ResultRules } from './call.js';
import { CallServer } from './call-server.js';
import type { MemoizeDefinition } from './definition.js';
import { MemoCall } from './memo-call.js';
import { MemoPlan } from './memo-plan.js';

export interface MemoizerParts {
  readonly cache: ViewCache;
  readonly clock: Clock;
  readonly events: CacheEvents;
  readonly options: ResolvedOptions;
  /** The largest value that the store has room for, in bytes. */
  readonly largestBody: number;
  readonly limits: ResultLimits;
  readonly warn: (message: string) => void;
}

const HOW_TO_SHARE =
  "Give the class a cacheId() that says whose it is, or write @Memoize({ inputs: 'reviewed' }) where the result depends " +
  'on the arguments only.';

/** What memoizes in this process: one for each application that runs. */
const running = new Set<Memoizer>();
/** The only one. */
let only: Memoizer | undefined;

/** What plain functions and static methods, which belong to no application by themselves, are memoized by. */
export function onlyMemoizer(): Memoizer | undefined {
  if (only === undefined && running.size > 0) for (const each of running) each.warnOfOthers();
  return only;
}

function countRunning(): void {
  const [first] = running;
  only = running.size === 1 ? first : undefined;
}

/** Calls of memoized functions of one application, on the engine of its views. */
export class Memoizer {
  /** By definition, and by the class that they are called on. */
  readonly #plans = new WeakMap<MemoizeDefinition, Map<object, MemoPlan | undefined>>();
  readonly #identities = new Map<string, MemoPlan>();
  /** Classes of which this application has one instance, with it. */
  readonly #single = new WeakMap<object, object>();
  readonly #refused = new WeakSet<ResultRules>();
  /** Those that were called on other instances. */
  readonly #strangers = new WeakSet<MemoPlan>();
  readonly #calls: CallServer;
  #warnedOfOthers = false;

  constructor(private readonly parts: MemoizerParts) {
    const onRefused = (plan: ResultRules, problem: string): undefined => this.#warnOfResult(plan, problem);
    this.#calls = new CallServer({ ...parts, onRefused });
  }

  /** From now on plain functions find it. */
  start(): void {
    running.add(this);
    countRunning();
  }

  stop(): void {
    // What classes and functions remember would keep all that this application has stored.
    for (const { definition } of this.#identities.values())
      if (definition.last?.memoizer === this) definition.last = undefined;
    running.delete(this);
    countRunning();
  }

  /** Its application has one instance of the class, for as long as it runs. Others may come to be beside it. */
  noteSingle(on: object, instance: object): void {
    this.#single.set(on, instance);
  }

  /**
   * Of a method that the application has: whether it is memoized is said at start.
   *
   * @throws CachingConfigError where another goes by its name
   */
  prepare(definition: MemoizeDefinition, on: object): void {
    this.#find(definition, on);
  }

  warnOfOthers(): void {
    if (this.#warnedOfOthers) return;
    this.#warnedOfOthers = true;
    this.parts.warn(
      'Several applications run in this process: memoized plain functions and static methods, which belong to none of ' +
        'them, run uncached.',
    );
  }

  /** A call of a memoized function. Never throws: what fails is rejected. */
  call(definition: MemoizeDefinition, self: unknown, on: object, args: readonly unknown[]): Promise<unknown> {
    try {
      const { last } = definition;
      const plan =
        last !== undefined && last.memoizer === this && last.on === on
          ? (last.plan as MemoPlan)
          : this.#find(definition, on);
      if (plan === undefined || !this.#isShared(plan, self)) return uncached(definition, self, args);
      if (isBypassing()) return this.#bypass(plan, 'code', self, args);
      // The way of most hits: nothing is made for them but what they are given.
      const known = plan.keys.known(args);
      if (known === undefined) return this.#serve(plan, self, args);
      const found = this.parts.cache.lookup(known);
      return !isPromiseLike(found) && isEntry(found)
        ? this.#hit(plan, found)
        : this.#serve(plan, self, args, found);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The plan of a function on a class. @throws CachingConfigError where another goes by its name */
  planOf(definition: MemoizeDefinition, on: object): MemoPlan {
    const { options, largestBody } = this.parts;
    const isIdentified =
      definition.kind === 'method' &&
      typeof (on as { prototype?: { cacheId?: unknown } }).prototype?.cacheId === 'function';
    const plan = new MemoPlan(definition, on, options, largestBody, isIdentified);
    const present = this.#identities.get(plan.identity);
    if (present !== undefined && (present.definition !== definition || present.on !== on)) {
      throw new CachingConfigError(
        'name',
        plan.definition.options.name ?? plan.route,
        `a name of its own: another memoized function of this application is called ${plan.route}, and they would share results`,
        `@Memoize of ${definition.label}`,
      );
    }
    this.#identities.set(plan.identity, plan);
    const { limits } = this.parts;
    limits.largestEntry = Math.max(limits.largestEntry, plan.maxBytes);
    limits.longestLife = Math.max(limits.longestLife, plan.ttl + plan.staleFor);
    return present ?? plan;
  }

  #find(definition: MemoizeDefinition, on: object): MemoPlan | undefined {
    let plans = this.#plans.get(definition);
    if (plans === undefined) this.#plans.set(definition, (plans = new Map()));
    let plan = plans.get(on);
    if (!plans.has(on)) {
      plan = this.planOf(definition, on);
      if (!plan.isForAll) plan.only = this.#single.get(on);
      if (!plan.isForAll && plan.only === undefined) {
        this.parts.warn(
          `${plan.route} is not memoized: several instances of its class, or one for each request, would share what they ` +
            `compute. ${HOW_TO_SHARE}`,
        );
        plan = undefined;
      }
      plans.set(on, plan);
    }
    if (plan !== undefined) definition.last = { memoizer: this, on, plan };
    return plan;
  }

  /** Whether an instance may have the results of its class: what the others know is not in the key. */
  #isShared(plan: MemoPlan, self: unknown): boolean {
    if (plan.only === undefined || plan.only === self) return true;
    if (!this.#strangers.has(plan)) {
      this.#strangers.add(plan);
      this.parts.warn(
        `${plan.route} is not memoized for another instance of its class than the one that is provided, as they would ` +
          `share what they compute. ${HOW_TO_SHARE}`,
      );
    }
    return false;
  }

  #hit(plan: MemoPlan, entry: Entry): Promise<unknown> {
    const { events, clock } = this.parts;
    const trace = events.begin(plan.route);
    if (trace !== undefined) {
      trace.identify(entry.key);
      trace.hit(entry, clock.now());
    }
    return (entry.response as HeldValue).promise(plan.shape);
  }

  /** @param looked what a look-up of the call's key has found */
  #serve(
    plan: MemoPlan,
    self: unknown,
    args: readonly unknown[],
    looked?: MaybePromise<Entry | Missed>,
  ): Promise<unknown> {
    const { unless, refresh } = plan.definition.options;
    if (unless !== undefined && plan.callbacks.decide('unless', () => unless(...args)))
      return this.#bypass(plan, 'unless', self, args);
    const key = plan.keys.keyOf(self, args);
    if (key === undefined) return this.#bypass(plan, 'arguments', self, args);
    const { cache, events } = this.parts;
    const call = (): MemoCall => new MemoCall(plan, self, args, key, events.begin(plan.route));
    if (refresh !== undefined && plan.callbacks.decide('refresh', () => refresh(...args)))
      return this.#calls.refresh(call());
    plan.keys.remember(args, key.key);
    const found = looked ?? cache.lookup(key.key);
    return !isPromiseLike(found) && isEntry(found)
      ? this.#hit(plan, found)
      : this.#calls.serve(call(), found);
  }

  #bypass(plan: MemoPlan, reason: BypassReason, self: unknown, args: readonly unknown[]): Promise<unknown> {
    this.parts.events.begin(plan.route)?.bypassed(reason);
    return uncached(plan.definition, self, args);
  }

  /** Once for each function. */
  #warnOfResult(plan: ResultRules, problem: string): undefined {
    if (this.#refused.has(plan)) return undefined;
    this.#refused.add(plan);
    this.parts.warn(
      `${plan.route} is not memoized: its result ${problem}, which would not come back as it was. Return plain objects, ` +
        `lists, Map, Set, Date, Buffer and what is made of them.`,
    );
    return undefined;
  }
}

/** Without the cache: what is thrown at once is rejected as with it. */
export async function uncached(
  { run }: MemoizeDefinition,
  self: unknown,
  args: readonly unknown[],
): Promise<unknown> {
  return run.apply(self, args as unknown[]);
}
