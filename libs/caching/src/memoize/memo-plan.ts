import { createHash } from 'node:crypto';
import { CopyShape } from '../cache/copy-shape.js';
import { CacheCallbackError, CacheUsageError, CachingConfigError, describe } from '../caching.errors.js';
import type { ResolvedOptions } from '../caching.options.js';
import { DURATION_RULE, toMilliseconds } from '../duration.js';
import { component } from '../http/key-strategy.js';
import { flatText } from '../http/flat-text.js';
import { RecentMap } from '../recent-map.js';
import { ALL_VIEWS, bounded, isTag, TAG_RULE, userTag } from '../http/route-tags.js';
import { keyOfArguments, NotKeyable } from './arguments-key.js';
import type { Judgement, ResultRules } from './call-server.js';
import type { MemoizeDefinition } from './definition.js';
import { memoizeFingerprint } from './memoize-options.js';

/** Keys longer than this are hashed. */
const MAX_KEY_LENGTH = 512;

/** Texts and numbers whose keys are remembered for each function: a key that was looked for before has its hash. */
const KNOWN_KEYS = 1_000;

/** How a call is found in the cache. */
export interface CallKey {
  readonly key: string;
  /** Of its arguments: what tells it from other calls of the function. */
  readonly args: string;
}

/** One memoized function as it is called on one class, worked out at its first call. */
export class MemoPlan implements ResultRules {
  readonly route: string;
  readonly ttl: number;
  readonly staleWhileRevalidate: number;
  readonly staleIfError: number;
  /** How long after its time a result may be given, whatever for. */
  readonly staleFor: number;
  readonly maxBytes: number;
  readonly isFrozen: boolean;
  readonly clusterWide: boolean;
  /** Its results depend on nothing else than is in its key, whichever instance it is called on. */
  readonly isForAll: boolean;
  /** Where they may: the instance that they are shared for. */
  only: object | undefined;
  /** Of its results. */
  readonly shape = new CopyShape();
  /** What tells this function, on this class, from all others. */
  readonly identity: string;
  readonly #prefix: string;
  readonly #method: string;
  /** Of each class that it is called through, from the instance's own up to the one that declares it. */
  readonly #methods: readonly string[];
  readonly #known = new RecentMap<string, unknown>(KNOWN_KEYS);
  #withoutArguments: string | undefined;
  readonly #ignored: ReadonlySet<number> | undefined;
  readonly #defaults: readonly (readonly [at: number, value: unknown])[];
  /** The arguments are the key as they are. */
  readonly #isPlain: boolean;
  readonly #isKnowable: boolean;

  /** @param on the class of the instance, or the class or function itself */
  constructor(
    readonly definition: MemoizeDefinition,
    readonly on: object,
    module: ResolvedOptions,
    largestBody: number,
    /** Whether instances of the class are told apart by their `cacheId()`. */
    readonly isIdentified: boolean,
  ) {
    const { options, kind, method } = definition;
    this.isForAll = kind !== 'method' || isIdentified || options.inputs === 'reviewed';
    const classes = classesOf(definition, on);
    const [own = ''] = classes;
    this.route = options.name ?? (kind === 'function' ? method : `${own}.${method}`);
    this.#methods = classes.map((name) => methodTag(definition, name));
    this.#method = this.#methods[0] ?? '';
    const version = component(module.policy.version ?? '') + component(options.version ?? '');
    const declaring = classes.at(-1) ?? '';
    this.identity =
      component(kind) +
      (options.name === undefined
        ? component(declaring) + component(method)
        : component('') + component(options.name)) +
      component(declaring === own ? '' : own);
    const rules = memoizeFingerprint(options);
    this.#prefix = `${module.namespace}:memo:${version}${component(rules)}${this.identity}`;
    const time = (given: unknown): number => toMilliseconds(given) ?? 0;
    this.ttl = typeof options.ttl === 'function' ? module.ttl : time(options.ttl ?? module.ttl);
    this.staleWhileRevalidate = time(options.staleWhileRevalidate ?? module.policy.staleWhileRevalidate);
    this.staleIfError = time(options.staleIfError ?? module.policy.staleIfError);
    this.staleFor = Math.max(this.staleWhileRevalidate, this.staleIfError);
    this.maxBytes = Math.min(options.maxEntryBytes ?? module.maxEntryBytes, largestBody);
    this.isFrozen = options.freeze ?? false;
    this.clusterWide = (options.coalesce ?? module.policy.coalesce) === 'cluster';
    this.#ignored = options.ignoreArgs && new Set(options.ignoreArgs);
    this.#defaults = Object.entries(options.defaults ?? {}).map(([at, value]) => [Number(at), value]);
    this.#isPlain =
      options.key === undefined &&
      this.#ignored === undefined &&
      this.#defaults.length === 0 &&
      !isIdentified;
    this.#isKnowable = this.#isPlain && options.unless === undefined && options.refresh === undefined;
  }

  /**
   * @throws CacheUsageError naming the argument that makes no key
   * @returns nothing where the arguments are too long for one
   */
  keyOf(self: unknown, args: readonly unknown[]): CallKey | undefined {
    try {
      return this.#explained(() => {
        const text = this.#argumentsText(args);
        const id = this.isIdentified ? component(keyOfArguments([idOf(self)])) : '';
        return { key: this.#text(id, text), args: text };
      });
    } catch (error) {
      if (error instanceof NotKeyable) return undefined;
      throw error;
    }
  }

  /** Whether arguments make the key that was made of them before. */
  isKeyOf({ args: text }: CallKey, args: readonly unknown[]): boolean {
    try {
      return this.#argumentsText(args) === text;
    } catch {
      // They were data then and make no key now, or its callback fails on them: they are others.
      return false;
    }
  }

  ignores(at: number): boolean {
    return this.#ignored?.has(at) === true;
  }

  /** The key of a call with a single text or number, or none, that was a hit lately and asks no callback first. */
  knownKey(args: readonly unknown[]): string | undefined {
    if (!this.#isKnowable || args.length > 1) return undefined;
    if (args.length === 0) return (this.#withoutArguments ??= this.#text('', ''));
    const [value] = args;
    return typeof value === 'string' || typeof value === 'number' ? this.#known.get(value) : undefined;
  }

  /** Such a call was a hit: it may come again. */
  rememberKey(args: readonly unknown[], key: string): void {
    const [value] = args;
    if (!this.#isKnowable || args.length !== 1) return;
    // A map takes -0 for 0.
    if (
      (typeof value === 'string' && value.length <= MAX_KEY_LENGTH) ||
      (typeof value === 'number' && value !== 0)
    )
      this.#known.set(value, key);
  }

  /** What ends a result: everything, its function on each class that it is called through, and the application's tags. */
  tagsOf(call: CallKey, args: readonly unknown[]): string[] {
    const tags = [ALL_VIEWS, ...this.#methods];
    // A call on a class of its own is known by its key.
    if (this.isIdentified || this.#methods.length > 1)
      tags.push(...this.#methods.map((method) => callTag(method, call.args)));
    const { tags: given } = this.definition.options;
    const own =
      typeof given === 'function'
        ? this.checkTags(
            'tags',
            this.ask('tags', () => given(...args)),
          )
        : given;
    for (const tag of own ?? []) tags.push(userTag(tag));
    return tags;
  }

  /** What ends all results of the function on this class. */
  get allTags(): readonly string[] {
    return [this.#method];
  }

  /** What ends the results of one call, on any instance. @throws CacheUsageError */
  tagsOfCall(args: readonly unknown[]): readonly string[] {
    return this.#explained(() => {
      const text = this.#argumentsText(args);
      const tag = callTag(this.#method, text);
      return this.isIdentified ? [tag] : [this.#text('', text), tag];
    });
  }

  /** @throws NotKeyable, CacheCallbackError */
  #argumentsText(args: readonly unknown[]): string {
    const { key } = this.definition.options;
    if (key !== undefined) return keyOfArguments([this.ask('key', () => key(...args))]);
    return keyOfArguments(this.#normalized(args));
  }

  /** Runs a callback of the user's. @throws CacheCallbackError */
  ask<T>(callback: string, call: () => T): T {
    try {
      return call();
    } catch (error) {
      const problem = `failed: ${error instanceof Error ? error.message : String(error)}`;
      throw new CacheCallbackError(callback, this.route, problem, { cause: error });
    }
  }

  decide(callback: string, call: () => unknown): boolean {
    const answer = this.ask(callback, call);
    if (typeof answer === 'boolean') return answer;
    throw new CacheCallbackError(
      callback,
      this.route,
      `returned ${describe(answer)}; allowed: true or false, at once`,
    );
  }

  /** What callbacks say of a result. @throws CacheCallbackError */
  judge(result: unknown, args: readonly unknown[]): Judgement {
    const { resultTags, filter, ttl } = this.definition.options;
    const ask = <T>(
      callback: string,
      call: ((result: unknown, ...args: unknown[]) => T) | undefined,
    ): T | undefined => call && this.ask(callback, () => call(result, ...args));
    return {
      tags: resultTags === undefined ? [] : this.checkTags('resultTags', ask('resultTags', resultTags)),
      ttl: typeof ttl === 'function' ? this.#checkTtl(ask('ttl', ttl)) : this.ttl,
      isWanted: filter === undefined || this.decide('filter', () => filter(result, ...args)),
    };
  }

  #checkTtl(given: unknown): number {
    if (given === undefined) return this.ttl;
    const ttl = toMilliseconds(given);
    if (ttl !== undefined) return ttl;
    throw new CacheCallbackError(
      'ttl',
      this.route,
      `returned ${describe(given)}; allowed: ${DURATION_RULE}, or undefined`,
    );
  }

  checkTags(callback: string, given: unknown): readonly string[] {
    if (Array.isArray(given) && given.every(isTag)) return given;
    throw new CacheCallbackError(
      callback,
      this.route,
      `returned ${describe(given)}; allowed: a list of ${TAG_RULE}`,
    );
  }

  #normalized(args: readonly unknown[]): readonly unknown[] {
    if (this.#isPlain && (!this.definition.trimsArguments || args.at(-1) !== undefined)) return args;
    const values = [...args];
    for (const [at, value] of this.#defaults) {
      while (values.length <= at) values.push(undefined);
      if (values[at] === undefined) values[at] = value;
    }
    // What is ignored is as if it were left out.
    for (const at of this.#ignored ?? []) if (at < values.length) values[at] = undefined;
    if (this.definition.trimsArguments || this.#ignored !== undefined)
      while (values.length > 0 && values.at(-1) === undefined && this.#mayTrim(values.length - 1))
        values.pop();
    return values;
  }

  #mayTrim(at: number): boolean {
    return this.definition.trimsArguments || this.ignores(at);
  }

  #text(id: string, args: string): string {
    const length = this.#prefix.length + id.length + args.length;
    if (length <= MAX_KEY_LENGTH) return flatText(this.#prefix, id, args);
    // Of its UTF-16 units, as UTF-8 would make one text of all lone surrogates.
    const digest = createHash('sha256')
      .update(this.#prefix + id + args, 'utf16le')
      .digest('base64url');
    return `${this.#prefix.slice(0, MAX_KEY_LENGTH)}#${digest}`;
  }

  /** Its arguments are named in the error, but for those that are too long for a key. */
  #explained<T>(make: () => T): T {
    try {
      return make();
    } catch (error) {
      if (!(error instanceof NotKeyable) || error.isTooLong) throw error;
      throw new CacheUsageError(this.#explain(error), { cause: error });
    }
  }

  #explain({ path, problem }: NotKeyable): string {
    const [, argument = '', rest = ''] = /^\[(\d+)\](.*)$/s.exec(path) ?? [];
    const { key } = this.definition.options;
    const what =
      key === undefined
        ? `argument ${Number(argument) + 1} of ${this.route}${rest === '' ? '' : ` (${rest.replace(/^\./, '')})`}`
        : `what the key callback of ${this.route} returned`;
    return `${what} is ${problem}, so no key can be made of it; give its class a cacheId() that says which it is, name what counts with key, or leave it out with ignoreArgs`;
  }
}

/** An empty or meaningless id would give all instances that have it one another's results. */
function idOf(self: unknown): unknown {
  const id = (self as { cacheId(): unknown }).cacheId();
  if (typeof id === 'string' ? id !== '' : typeof id === 'bigint' || Number.isFinite(id)) return id;
  throw new CacheUsageError(
    `cacheId() of a memoized instance returned ${describe(id)}; allowed: a non-empty text, a finite number or a bigint`,
  );
}

/** All calls of one function on one class. */
function methodTag({ kind, method, options }: MemoizeDefinition, className: string): string {
  const name =
    options.name === undefined
      ? component(className) + component(method)
      : `=${component(options.name)}${component(className)}`;
  return bounded(flatText('m:', kind, ':', name));
}

function callTag(method: string, args: string): string {
  return bounded(flatText(method, '?', args));
}

/** Names of the classes that a method is called through, the instance's own first. */
function classesOf({ kind, owner, label }: MemoizeDefinition, on: object): string[] {
  if (kind === 'function') return [''];
  const names: string[] = [];
  for (let at: unknown = on; typeof at === 'function'; at = Object.getPrototypeOf(at) as unknown) {
    if (at.name === '')
      throw new CachingConfigError('name', undefined, 'a class with a name', `@Memoize of ${label}`);
    names.push(at.name);
    if (at === owner) return names;
  }
  return names;
}
