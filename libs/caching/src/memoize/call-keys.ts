import { createHash } from 'node:crypto';
import { CacheUsageError, describe } from '../caching.errors.js';
import { flatText } from '../http/flat-text.js';
import { component } from '../http/key-strategy.js';
import { RecentMap } from '../recent-map.js';
import { keyOfArguments, NotKeyable } from './arguments-key.js';
import type { MemoizeDefinition } from './definition.js';
import type { MemoCallbacks } from './memo-callbacks.js';

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

export interface CallKeysParts {
  readonly definition: MemoizeDefinition;
  /** In messages. */
  readonly route: string;
  /** Of all keys of the function. */
  readonly prefix: string;
  /** Whether instances of the class are told apart by their `cacheId()`. */
  readonly isIdentified: boolean;
  readonly callbacks: MemoCallbacks;
}

/** The keys of the calls of one function. */
export class CallKeys {
  readonly #known = new RecentMap<string, unknown>(KNOWN_KEYS);
  #withoutArguments: string | undefined;
  readonly #ignored: ReadonlySet<number> | undefined;
  readonly #defaults: readonly (readonly [at: number, value: unknown])[];
  /** The arguments are the key as they are. */
  readonly #isPlain: boolean;
  readonly #isKnowable: boolean;

  constructor(private readonly parts: CallKeysParts) {
    const { definition, isIdentified } = parts;
    const { options } = definition;
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
        const id = this.parts.isIdentified ? component(keyOfArguments([idOf(self)])) : '';
        return { key: this.#text(id, text), args: text };
      });
    } catch (error) {
      if (error instanceof NotKeyable) return undefined;
      throw error;
    }
  }

  /** Whether it is still the key of a call that it was made for before. */
  isKeyOf(key: string, self: unknown, args: readonly unknown[]): boolean {
    try {
      return this.keyOf(self, args)?.key === key;
    } catch {
      // They were data then and make no key now, or a callback fails on them: they are others.
      return false;
    }
  }

  ignores(at: number): boolean {
    return this.#ignored?.has(at) === true;
  }

  /** What its arguments are in its key, and in its tags. @throws CacheUsageError, NotKeyable where they are too long */
  textOf(args: readonly unknown[]): string {
    return this.#explained(() => this.#argumentsText(args));
  }

  /** The key of a call on any instance, of this text. */
  keyWith(text: string): string {
    return this.#text('', text);
  }

  /** The key of a call with a single text or number, or none, that was a hit lately and asks no callback first. */
  known(args: readonly unknown[]): string | undefined {
    if (!this.#isKnowable || args.length > 1) return undefined;
    if (args.length === 0) return (this.#withoutArguments ??= this.#text('', ''));
    const [value] = args;
    return typeof value === 'string' || typeof value === 'number' ? this.#known.get(value) : undefined;
  }

  /** Such a call was a hit: it may come again. */
  remember(args: readonly unknown[], key: string): void {
    const [value] = args;
    if (!this.#isKnowable || args.length !== 1) return;
    // A map takes -0 for 0.
    if (
      (typeof value === 'string' && value.length <= MAX_KEY_LENGTH) ||
      (typeof value === 'number' && value !== 0)
    )
      this.#known.set(value, key);
  }

  /** @throws NotKeyable, CacheCallbackError */
  #argumentsText(args: readonly unknown[]): string {
    const { key } = this.parts.definition.options;
    if (key !== undefined) return keyOfArguments([this.parts.callbacks.ask('key', () => key(...args))]);
    return keyOfArguments(this.#normalized(args));
  }

  #normalized(args: readonly unknown[]): readonly unknown[] {
    if (this.#isPlain && (!this.parts.definition.trimsArguments || args.at(-1) !== undefined)) return args;
    const values = [...args];
    for (const [at, value] of this.#defaults) {
      while (values.length <= at) values.push(undefined);
      if (values[at] === undefined) values[at] = value;
    }
    // What is ignored is as if it were left out.
    for (const at of this.#ignored ?? []) if (at < values.length) values[at] = undefined;
    if (this.parts.definition.trimsArguments || this.#ignored !== undefined)
      while (values.length > 0 && values.at(-1) === undefined && this.#mayTrim(values.length - 1))
        values.pop();
    return values;
  }

  #mayTrim(at: number): boolean {
    return this.parts.definition.trimsArguments || this.ignores(at);
  }

  #text(id: string, args: string): string {
    const length = this.parts.prefix.length + id.length + args.length;
    if (length <= MAX_KEY_LENGTH) return flatText(this.parts.prefix, id, args);
    // Of its UTF-16 units, as UTF-8 would make one text of all lone surrogates.
    const digest = createHash('sha256')
      .update(this.parts.prefix + id + args, 'utf16le')
      .digest('base64url');
    return `${this.parts.prefix.slice(0, MAX_KEY_LENGTH)}#${digest}`;
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
    const { key } = this.parts.definition.options;
    const what =
      key === undefined
        ? `argument ${Number(argument) + 1} of ${this.parts.route}${rest === '' ? '' : ` (${rest.replace(/^\./, '')})`}`
        : `what the key callback of ${this.parts.route} returned`;
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
