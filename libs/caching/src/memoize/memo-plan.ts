import { CopyShape } from '../cache/copy-shape.js';
import type { ResolvedOptions } from '../caching.options.js';
import { toMilliseconds } from '../duration.js';
import { component } from '../http/key-strategy.js';
import { ALL_VIEWS, userTag } from '../http/route-tags.js';
import { type CallKey, CallKeys } from './call-keys.js';
import type { ResultRules } from './call.js';
import type { MemoizeDefinition } from './definition.js';
import { callTag, classesOf, identityOf, methodTag } from './function-names.js';
import { MemoCallbacks } from './memo-callbacks.js';
import { memoizeFingerprint } from './memoize-options.js';

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
  readonly #method: string;
  /** Of each class that it is called through, from the instance's own up to the one that declares it. */
  readonly #methods: readonly string[];
  readonly keys: CallKeys;
  readonly callbacks: MemoCallbacks;

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
    this.identity = identityOf(definition, classes);
    const rules = memoizeFingerprint(options);
    const prefix = `${module.namespace}:memo:${version}${component(rules)}${this.identity}`;
    const time = (given: unknown): number => toMilliseconds(given) ?? 0;
    this.ttl = typeof options.ttl === 'function' ? module.ttl : time(options.ttl ?? module.ttl);
    this.staleWhileRevalidate = time(options.staleWhileRevalidate ?? module.policy.staleWhileRevalidate);
    this.staleIfError = time(options.staleIfError ?? module.policy.staleIfError);
    this.staleFor = Math.max(this.staleWhileRevalidate, this.staleIfError);
    this.maxBytes = Math.min(options.maxEntryBytes ?? module.maxEntryBytes, largestBody);
    this.isFrozen = options.freeze ?? false;
    this.clusterWide = (options.coalesce ?? module.policy.coalesce) === 'cluster';
    this.callbacks = new MemoCallbacks(options, this.route, this.ttl);
    const { route, callbacks } = this;
    this.keys = new CallKeys({ definition, route, prefix, isIdentified, callbacks });
  }

  /** What ends a result: everything, its function on each class that it is called through, and the application's tags. */
  tagsOf(call: CallKey, args: readonly unknown[]): string[] {
    const tags = [ALL_VIEWS, ...this.#methods];
    // A call on a class of its own is known by its key.
    if (this.isIdentified || this.#methods.length > 1)
      tags.push(...this.#methods.map((method) => callTag(method, call.args)));
    const { tags: given } = this.definition.options;
    const own = typeof given === 'function' ? this.callbacks.tags('tags', () => given(...args)) : given;
    for (const tag of own ?? []) tags.push(userTag(tag));
    return tags;
  }

  /** What ends all results of the function on this class. */
  get allTags(): readonly string[] {
    return [this.#method];
  }

  /** What ends the results of one call, on any instance. @throws CacheUsageError */
  tagsOfCall(args: readonly unknown[]): readonly string[] {
    const text = this.keys.textOf(args);
    const tag = callTag(this.#method, text);
    return this.isIdentified ? [tag] : [this.keys.keyWith(text), tag];
  }
}
