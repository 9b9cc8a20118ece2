import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { ViewKey } from '../cache/fill.js';
import type { Variant, VariantKeyOf } from '../cache/variants.js';
import { component, type KeyBypass } from './key-strategy.js';
import { RecentMap } from '../recent-map.js';
import { MAX_VARY_NAMES, secondaryKey, type VaryRules } from './semantics/vary.js';

/** Keys of a route whose `Vary` is remembered. Of one that is forgotten the store tells again, for one look-up more. */
const REMEMBERED = 10_000;

/**
 * By which request fields the responses of each key of a route are told apart, as their `Vary` has said (RFC 9111
 * §4.1). What is known here spares the look-up that would say so; that it is lost only costs one.
 *
 * Names are added up and never taken away, so that a key always covers all that the response under it varies on.
 */
export class LearnedVary {
  readonly #names = new RecentMap<readonly string[]>(REMEMBERED);
  #hasLearned = false;

  constructor(
    private readonly namespace: string,
    private readonly rules: VaryRules,
  ) {}

  /** Where a request's own response lies: `view`, unless its responses are known to vary. */
  viewOf(view: ViewKey, headers: IncomingHttpHeaders): ViewKey | KeyBypass {
    if (!this.#hasLearned) return view;
    const { route, key: present, primary = present, variantOf = primary } = view;
    const vary = this.#names.get(primary);
    if (vary === undefined) return view;
    const key = this.#keyOf(primary, vary, headers);
    if (key === undefined) return { bypass: 'vary' };
    return key === present ? view : { route, key, variantOf, primary };
  }

  /**
   * Where a request's own response lies, as the store has said by what those of its key are told apart. Nothing where
   * that is known to be nowhere else.
   */
  elsewhere(
    view: ViewKey,
    vary: readonly string[] | undefined,
    headers: IncomingHttpHeaders,
  ): ViewKey | KeyBypass | undefined {
    if (vary === undefined) return undefined;
    this.learn(view, vary);
    const own = this.viewOf(view, headers);
    return own === view ? undefined : own;
  }

  /** By which request fields the responses of a key are known to be told apart. */
  namesOf({ key, primary = key }: ViewKey): readonly string[] | undefined {
    return this.#hasLearned ? this.#names.get(primary) : undefined;
  }

  /** What a response that varies on `names` beside all that is known is stored as; nothing where it can't be. */
  variantOf(view: ViewKey, names: readonly string[], headers: IncomingHttpHeaders): Variant | undefined {
    const { key, primary = key } = view;
    const vary = this.#together(primary, names);
    if (vary.length === 0 || vary.length > MAX_VARY_NAMES) return undefined;
    const own = this.#keyOf(primary, vary, headers);
    return own === undefined ? undefined : { vary, key: own };
  }

  /** How a request that waits knows whether a variant is its own. */
  keysOf({ key, primary = key }: ViewKey, headers: IncomingHttpHeaders): VariantKeyOf {
    return (vary) => this.#keyOf(primary, vary, headers);
  }

  /** Notes what a response, or the store, has said of a key. */
  learn({ key, primary = key }: ViewKey, names: readonly string[]): void {
    const known = this.#names.get(primary);
    const vary = this.#together(primary, names);
    // A record from a store that would make the key of everybody too long.
    if (vary.length > MAX_VARY_NAMES || vary.length === known?.length) return;
    this.#hasLearned = true;
    this.#names.set(primary, [...vary].sort());
  }

  #together(primary: string, names: readonly string[]): readonly string[] {
    const known = this.#hasLearned ? this.#names.get(primary) : undefined;
    if (known === undefined) return names;
    return names.every((name) => known.includes(name)) ? known : [...new Set([...known, ...names])].sort();
  }

  /** As a digest: the values of `Cookie` or `Authorization` are nothing to write into the keys of a store. */
  #keyOf(primary: string, vary: readonly string[], headers: IncomingHttpHeaders): string | undefined {
    const secondary = secondaryKey(vary, headers, this.rules);
    if (secondary === undefined) return undefined;
    const digest = createHash('sha256').update(component(primary) + secondary, 'utf16le');
    return `${this.namespace}:view:~${digest.digest('base64url')}`;
  }
}
