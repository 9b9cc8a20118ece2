import type { Clock } from '../cache/clock.js';
import { type Entry, type EntryLife, isEntry, type StoredResponse } from '../cache/entry.js';
import type { Fill } from '../cache/fill.js';
import { HeldFailure, HeldValue } from '../cache/held-value.js';
import { isPromiseLike } from '../cache/maybe-promise.js';
import { NotStorable } from '../cache/value-copy.js';
import type { SkipReason } from '../cache/reasons.js';
import type { Missed, ViewCache } from '../cache/view-cache.js';
import { CacheCallbackError, CachingConfigError, describe } from '../caching.errors.js';
import type { ResolvedOptions } from '../caching.options.js';
import { DURATION_RULE, MAX_DURATION, toMilliseconds } from '../duration.js';
import { limitTags, MAX_TAGS, userTag } from '../http/route-tags.js';
import type { CacheEvents } from '../observe/events.js';
import type { RequestTrace } from '../observe/request-trace.js';
import type { MemoizeDefinition } from './definition.js';
import { type CallKey, MemoPlan } from './memo-plan.js';

/** How often a call that waits may be sent to another flight before it runs the function itself. */
const MAX_RETRIES = 8;

/** How many refreshes of stale results may run at once: beyond, calls are given what is there and start none. */
const MAX_REFRESHES = 256;

export interface MemoizerParts {
  readonly cache: ViewCache;
  readonly clock: Clock;
  readonly events: CacheEvents;
  readonly options: ResolvedOptions;
  /** The largest value that the store has room for, in bytes. */
  readonly largestBody: number;
  readonly limits: MemoLimits;
  readonly warn: (message: string) => void;
}

/** What the functions of an application need of the store, as far as it is known. */
export interface MemoLimits {
  /** The longest time that a result lives, in milliseconds. */
  longestLife: number;
  /** The largest value that a function stores, in bytes. */
  largestEntry: number;
}

/** One call on its way. */
interface Call {
  readonly plan: MemoPlan;
  readonly args: readonly unknown[];
  readonly key: CallKey;
  /** Runs the function. */
  readonly run: () => unknown;
  readonly trace: RequestTrace | undefined;
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
  #refreshes = 0;
  #warnedOfOthers = false;

  constructor(private readonly parts: MemoizerParts) {}

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
          ? last.plan
          : this.#find(definition, on);
      // The way of most hits: nothing is made for them but what they are given.
      const known = plan?.knownKey(args);
      if (plan !== undefined && known !== undefined) {
        const found = this.parts.cache.lookup(known);
        if (!isPromiseLike(found) && isEntry(found)) return Promise.resolve(this.#hit(plan, found));
      }
      const run = (): unknown => definition.run.apply(self, args as unknown[]);
      if (plan === undefined) return settled(run);
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

  #hit(plan: MemoPlan, entry: Entry, trace = this.parts.events.begin(plan.route)): unknown {
    trace?.hit(entry, this.parts.clock.now());
    return (entry.response as HeldValue).take();
  }

  async #serve(
    plan: MemoPlan,
    self: unknown,
    args: readonly unknown[],
    run: () => unknown,
  ): Promise<unknown> {
    const { cache, events, clock } = this.parts;
    const trace = events.begin(plan.route);
    const key = plan.keyOf(self, args);
    if (key === undefined) {
      trace?.bypassed('arguments');
      return run();
    }
    trace?.identify(key.key);
    const call: Call = { plan, args, key, run, trace };
    const { refresh } = plan.definition.options;
    if (refresh !== undefined && plan.decide('refresh', () => refresh(...args))) {
      trace?.refresh('callback', 'started');
      return this.#fill(call, cache.alone(viewOf(call), plan.tagsOf(key, args)).fill);
    }
    const askedAt = clock.now();
    const looked = cache.lookup(key.key);
    const found = isPromiseLike(looked) ? await looked : looked;
    if (isEntry(found)) {
      plan.rememberKey(args, key.key);
      return this.#hit(plan, found, trace);
    }
    const { stale } = found;
    if (stale?.freshness !== undefined && clock.now() < stale.freshness.staleWhileRevalidateUntil) {
      trace?.stale(stale, clock.now(), 'while-revalidate');
      this.#refreshStale(call, found);
      return (stale.response as HeldValue).take();
    }
    trace?.miss(stale === undefined ? 'absent' : 'stale');
    return this.#follow(call, found, clock.now() - askedAt);
  }

  async #follow(call: Call, missed: Missed, spent: number): Promise<unknown> {
    const { cache } = this.parts;
    const { plan, key, args, trace } = call;
    let ticket = cache.join(viewOf(call), missed, plan.tagsOf(key, args));
    for (let retries = MAX_RETRIES; ; retries--) {
      if (ticket.role === 'fill') return this.#claim(call, ticket.fill, missed.stale, spent);
      const outcome = await ticket.outcome;
      if (typeof outcome !== 'string') {
        trace?.coalesced(outcome.response, outcome.handlerTime);
        return taken(outcome.response);
      }
      const tags = plan.tagsOf(key, args);
      ticket =
        outcome === 'alone' || retries === 0
          ? cache.alone(viewOf(call), tags)
          : cache.rejoin(viewOf(call), tags);
    }
  }

  /** Waits for its turn among all instances, where that is asked for; another may have filled by then. */
  async #claim(call: Call, fill: Fill, stale: Entry | undefined, spent: number): Promise<unknown> {
    if (call.plan.clusterWide && fill.leads) {
      const entry = await this.parts.cache.claim(fill, spent);
      if (entry !== undefined) {
        call.trace?.coalesced(entry.response, entry.handlerTime);
        return taken(entry.response);
      }
      fill.handlerStarts();
    }
    return this.#fill(call, fill, stale);
  }

  async #fill(call: Call, fill: Fill, stale?: Entry): Promise<unknown> {
    fill.trace = call.trace;
    limitTags(fill);
    let result: unknown;
    try {
      result = await call.run();
    } catch (error) {
      fill.handlerEnds();
      if (stale !== undefined && this.#mayServeStale(stale, fill)) {
        fill.share(stale.response);
        call.trace?.stale(stale, this.parts.clock.now(), 'if-error');
        return (stale.response as HeldValue).take();
      }
      this.#fail(fill, error);
      throw error;
    }
    fill.handlerEnds();
    try {
      return this.#keep(call, fill, result);
    } catch (error) {
      // A callback's, which concerns those who wait as well.
      this.#fail(fill, error);
      throw error;
    }
  }

  #fail(fill: Fill, error: unknown): void {
    tell(fill, 'error');
    fill.share(new HeldFailure(error));
  }

  #mayServeStale({ freshness, start, tags }: Entry, fill: Fill): boolean {
    return (
      freshness !== undefined &&
      this.parts.clock.now() < freshness.staleIfErrorUntil &&
      fill.isCurrent() &&
      this.parts.cache.isCurrent(start, tags)
    );
  }

  /** Decides whether a result is stored, and for how long. */
  #keep({ plan, args }: Call, fill: Fill, result: unknown): unknown {
    const { options } = plan.definition;
    const { resultTags, filter, ttl: given } = options;
    if (resultTags !== undefined) {
      const tags = plan.checkTags(
        'resultTags',
        plan.ask('resultTags', () => resultTags(result, ...args)),
      );
      // One more than fits is enough to see that it does not.
      for (const tag of [...new Set(tags)].slice(0, MAX_TAGS + 1)) fill.addTag(userTag(tag));
      limitTags(fill);
    }
    const ttl =
      typeof given === 'function'
        ? this.#checkTtl(
            plan,
            plan.ask('ttl', () => given(result, ...args)),
          )
        : plan.ttl;
    let held: HeldValue;
    try {
      held = HeldValue.of(result, plan.maxBytes, plan.isFrozen);
    } catch (error) {
      if (!(error instanceof NotStorable)) throw error;
      this.#refuse(plan, fill, error);
      return result;
    }
    const isWanted = filter === undefined || plan.decide('filter', () => filter(result, ...args));
    const reason: SkipReason | undefined = !isWanted
      ? 'filter'
      : fill.refusal !== undefined
        ? fill.refusal
        : fill.isCurrent()
          ? undefined
          : 'evicted';
    if (reason === undefined) {
      const { life, keepFor } = this.#lifeOf(plan, ttl);
      fill.store(held, keepFor, life);
    } else {
      // For the same arguments, so those who wait may have it.
      tell(fill, reason);
      fill.share(held);
    }
    return plan.isFrozen ? held.take() : result;
  }

  #refuse(plan: MemoPlan, fill: Fill, error: NotStorable): void {
    tell(fill, error.isTooLarge ? 'too-large' : 'value');
    fill.reject();
    if (error.isTooLarge || plan.warnedOfValue) return;
    plan.warnedOfValue = true;
    this.parts.warn(
      `${plan.route} is not memoized: its result ${error.message}, which would not come back as it was. Return plain ` +
        `objects, lists, Map, Set, Date, Buffer and what is made of them.`,
    );
  }

  #lifeOf(plan: MemoPlan, ttl: number): { keepFor: number; life?: EntryLife } {
    const { staleWhileRevalidate, staleIfError, staleFor } = plan;
    const keepFor = Math.min(ttl + staleFor, MAX_DURATION);
    const { limits } = this.parts;
    limits.longestLife = Math.max(limits.longestLife, keepFor);
    if (staleFor === 0) return { keepFor };
    const freshUntil = this.parts.clock.now() + ttl;
    return {
      keepFor,
      life: {
        freshUntil,
        ageAtStore: 0,
        staleWhileRevalidateUntil: Math.min(freshUntil + staleWhileRevalidate, freshUntil + keepFor - ttl),
        staleIfErrorUntil: Math.min(freshUntil + staleIfError, freshUntil + keepFor - ttl),
        alwaysRevalidate: false,
        staleForbidden: false,
      },
    };
  }

  #checkTtl(plan: MemoPlan, given: unknown): number {
    if (given === undefined) return plan.ttl;
    const ttl = toMilliseconds(given);
    if (ttl !== undefined) return ttl;
    throw new CacheCallbackError(
      'ttl',
      plan.route,
      `returned ${describe(given)}; allowed: ${DURATION_RULE}, or undefined`,
    );
  }

  /** Runs the function for a new result, unless somebody does already. Nobody waits for it. */
  #refreshStale(call: Call, missed: Missed): void {
    if (this.#refreshes >= MAX_REFRESHES) return;
    const { cache } = this.parts;
    if (cache.isFilling(call.key.key)) return;
    const ticket = cache.join(viewOf(call), missed, call.plan.tagsOf(call.key, call.args));
    if (ticket.role === 'wait') return;
    const { trace } = call;
    this.#refreshes++;
    trace?.refresh('stale', 'started');
    void this.#fill(call, ticket.fill)
      // The next call tries again, and is told once the result is too old to be given.
      .catch(() => trace?.refresh('stale', 'failed'))
      .finally(() => this.#refreshes--);
  }
}

/** Why a result is not kept. */
function tell(fill: Fill, reason: SkipReason): void {
  fill.skipped = reason;
  fill.trace?.skipped(reason, undefined, fill.handlerTime);
}

function viewOf({ plan, key }: Call): { route: string; key: string } {
  return { route: plan.route, key: key.key };
}

/** What another call's run ended with. */
function taken(response: StoredResponse): unknown {
  if (response instanceof HeldFailure) throw response.error;
  return (response as HeldValue).take();
}

/** Without the cache: what is thrown at once is rejected as with it. */
export async function settled(run: () => unknown): Promise<unknown> {
  return run();
}
