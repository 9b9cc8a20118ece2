import { isBypassing } from '../cache/bypass.js';
import type { Clock } from '../cache/clock.js';
import { type Entry, isEntry } from '../cache/entry.js';
import { isPromiseLike } from '../cache/maybe-promise.js';
import type { ViewCache } from '../cache/view-cache.js';
import { CachingConfigError } from '../caching.errors.js';
import type { ResolvedOptions } from '../caching.options.js';
import type { CacheEvents } from '../observe/events.js';
import { type Call, CallServer, type ResultLimits, type ResultRules, taken } from './call-server.js';
import type { MemoizeDefinition } from './definition.js';
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
  /** Classes of which this application has one instance, or whose instances may share what they compute. */
  readonly #single = new WeakSet<object>();
  readonly #refused = new WeakSet<ResultRules>();
  readonly #calls: CallServer;
  #warnedOfOthers = false;

  constructor(private readonly parts: MemoizerParts) {
    const onRefused = (plan: ResultRules, problem: string): void => this.#warnOfResult(plan, problem);
    this.#calls = new CallServer({ ...parts, onRefused });
  }

  /** From now on plain functions find it. */
  start(): void {
    running.add(this);
    countRunning();
  }

  stop(): void {
    running.delete(this);
    countRunning();
  }

  /** Its application has one instance of the class, for as long as it runs. */
  noteSingle(on: object): void {
    this.#single.add(on);
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
      // The way of most hits: nothing is made for them but what they are given.
      const known = isBypassing() ? undefined : plan?.knownKey(args);
      if (plan !== undefined && known !== undefined) {
        const found = this.parts.cache.lookup(known);
        if (!isPromiseLike(found) && isEntry(found)) return Promise.resolve(this.#hit(plan, found));
      }
      const run = (): unknown => definition.run.apply(self, args as unknown[]);
      if (plan === undefined) return settled(run);
      if (isBypassing()) {
        this.parts.events.begin(plan.route)?.bypassed('code');
        return settled(run);
      }
      const { unless } = definition.options;
      if (unless !== undefined && plan.decide('unless', () => unless(...args))) {
        this.parts.events.begin(plan.route)?.bypassed('unless');
        return settled(run);
      }
      return this.#serve(plan, self, args, run);
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
      if (!this.#mayShare(plan, on)) {
        this.parts.warn(
          `${plan.route} is not memoized: several instances of its class, or one for each request, would share what they ` +
            `compute. Give the class a cacheId() that says whose it is, or write @Memoize({ inputs: 'reviewed' }) where the ` +
            `result depends on the arguments only.`,
        );
        plan = undefined;
      }
      plans.set(on, plan);
    }
    if (plan !== undefined) definition.last = { memoizer: this, on, plan };
    return plan;
  }

  #mayShare({ definition, isIdentified }: MemoPlan, on: object): boolean {
    return (
      definition.kind !== 'method' ||
      isIdentified ||
      definition.options.inputs === 'reviewed' ||
      this.#single.has(on)
    );
  }

  #hit(plan: MemoPlan, entry: Entry): unknown {
    this.parts.events.begin(plan.route)?.hit(entry, this.parts.clock.now());
    return taken(entry.response);
  }

  #serve(plan: MemoPlan, self: unknown, args: readonly unknown[], run: () => unknown): Promise<unknown> {
    const trace = this.parts.events.begin(plan.route);
    const key = plan.keyOf(self, args);
    if (key === undefined) {
      trace?.bypassed('arguments');
      return settled(run);
    }
    const call: Call = {
      rules: plan,
      key: key.key,
      tags: () => plan.tagsOf(key, args),
      run,
      judge: (result) => plan.judge(result, args),
      trace,
    };
    const { refresh } = plan.definition.options;
    if (refresh !== undefined && plan.decide('refresh', () => refresh(...args)))
      return this.#calls.refresh(call);
    plan.rememberKey(args, key.key);
    return this.#calls.serve(call);
  }

  /** Once for each function. */
  #warnOfResult(plan: ResultRules, problem: string): void {
    if (this.#refused.has(plan)) return;
    this.#refused.add(plan);
    this.parts.warn(
      `${plan.route} is not memoized: its result ${problem}, which would not come back as it was. Return plain objects, ` +
        `lists, Map, Set, Date, Buffer and what is made of them.`,
    );
  }
}

/** Without the cache: what is thrown at once is rejected as with it. */
export async function settled(run: () => unknown): Promise<unknown> {
  return run();
}
