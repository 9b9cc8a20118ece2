import { createHash } from 'node:crypto';
import { CacheCallbackError, describe } from '../caching.errors.js';
import { chain, isPromiseLike, type MaybePromise } from '../cache/maybe-promise.js';
import type { ViewKey } from '../cache/fill.js';
import { flatText } from './flat-text.js';
import {
  component,
  componentsOf,
  custom,
  type KeyBypass,
  type KeyStrategy,
  type NamedKeyStrategy,
} from './key-strategy.js';
import { RecentBudget, RecentMap } from '../recent-map.js';
import { type RequestView, splitTarget } from './request-view.js';
import { callUser } from './user-callback.js';

/** Keys longer than this are hashed. */
const MAX_KEY_LENGTH = 512;

/** URLs per route whose part of the key is remembered: a hot URL is parsed and sorted once. */
const MEMO_SIZE = 1_000;

/** Longer URLs are not remembered. */
const MEMO_URL_LENGTH = 1_024;

/** What a remembered URL takes beside its own text and its part of the key, about, in bytes. */
const MEMO_OVERHEAD = 128;

/** What all routes of an application remember together, in bytes: clients choose URLs, and there may be many routes. */
export const MEMO_BYTES = 4 * 1024 * 1024;

export interface KeyBuilderOptions {
  readonly namespace: string;
  readonly version: string;
  /** Of the rules by which its responses are tagged; '' where it has none. */
  readonly fingerprint?: string;
  /** Names the handler; unique in the application. */
  readonly route: string;
  readonly method: string;
  /** Whether responses belong to a principal. */
  readonly scoped: boolean;
  readonly strategies: readonly KeyStrategy[];
  /** What its URLs are remembered within, together with those of other routes. Default: one of its own. */
  readonly budget?: RecentBudget | undefined;
}

/** One part of a key. */
export interface KeyPart {
  /** `path`, `principal`, or the strategy as it is written, e.g. `query()`. */
  readonly name: string;
  readonly value: string;
}

/**
 * Makes the key of a request for one route: method, route, path, what its strategies say, and the principal.
 * Every component stands behind its length, so no two different lists of components make one text.
 */
export class KeyBuilder {
  readonly #route: string;
  readonly #prefix: string;
  readonly #namespace: string;
  readonly #scoped: boolean;
  readonly #byUrl: readonly NamedKeyStrategy[];
  readonly #byRequest: readonly NamedKeyStrategy[];
  readonly #byHeader: readonly NamedKeyStrategy[];
  readonly #fixed: readonly KeyPart[];
  readonly #memo = new RecentMap<string>(MEMO_SIZE);
  readonly #budget: RecentBudget;
  /** The part that was made last and is not remembered: most URLs that miss never come again. */
  #made: { readonly url: string; readonly part: string } | undefined;

  constructor({
    namespace,
    version,
    fingerprint = '',
    route,
    method,
    scoped,
    strategies,
    budget = new RecentBudget(MEMO_BYTES),
  }: KeyBuilderOptions) {
    this.#budget = budget;
    budget.add(this.#memo);
    this.#route = route;
    this.#namespace = namespace;
    this.#scoped = scoped;
    const rules = fingerprint === '' ? [] : [fingerprint];
    this.#prefix = [version, ...rules, method, route, scoped ? 'scoped' : 'public'].map(component).join('');
    const named = strategies.map((strategy) =>
      typeof strategy === 'function' ? custom(strategy) : strategy,
    );
    this.#fixed = [
      { name: 'version', value: version },
      ...rules.map((value) => ({ name: 'rules', value })),
      { name: 'method', value: method },
      { name: 'route', value: route },
      { name: 'scope', value: scoped ? 'scoped' : 'public' },
    ];
    this.#byUrl = named.filter(({ source }) => source === 'url');
    this.#byRequest = named.filter(({ source }) => source === 'other');
    this.#byHeader = named.filter(({ source }) => source === 'header');
  }

  /** @param principal who the response is for; `undefined` is the anonymous principal of a scoped route */
  build(request: RequestView, principal: string | undefined): MaybePromise<ViewKey | KeyBypass> {
    const base = this.#urlPart(request);
    if (this.#byRequest.length === 0 && this.#byHeader.length === 0 && !this.#scoped) {
      return { route: this.#route, key: base };
    }
    const scope = this.#scoped ? (principal === undefined ? '-' : component(principal)) : '';
    return chain(this.#parts(this.#byRequest, request), (own) => {
      if (typeof own !== 'string') return own;
      return chain(this.#parts(this.#byHeader, request), (byHeader) => {
        if (typeof byHeader !== 'string') return byHeader;
        const url = this.#text(base + scope + own);
        if (this.#byHeader.length === 0) return { route: this.#route, key: url };
        return { route: this.#route, key: this.#text(base + scope + own + byHeader), variantOf: url };
      });
    });
  }

  /** What the key of a request is made of, for people. Of a body, only how long its text is. */
  async describe(request: RequestView, principal: string | undefined): Promise<KeyPart[]> {
    const strategies = [...this.#byUrl, ...this.#byRequest, ...this.#byHeader];
    const own = strategies.map(async (strategy): Promise<KeyPart> => {
      const { name, covers } = strategy;
      const part = (await strategy.part(request)) as string | number | bigint | boolean | KeyBypass;
      if (typeof part === 'object') return { name, value: 'none' };
      const value = String(part);
      return { name, value: covers.body ? `${value.length} characters` : value };
    });
    return [
      ...this.#fixed,
      { name: 'path', value: splitTarget(request.url).path },
      ...(this.#scoped ? [{ name: 'principal', value: principal?.slice(1) ?? 'nobody' }] : []),
      ...(await Promise.all(own)),
    ];
  }

  /** The path of a key of this route, and what its strategies took from the URL; nothing of one that is a digest. */
  read(key: string): { readonly path: string; readonly fromUrl: readonly string[] } | undefined {
    const start = `${this.#namespace}:view:${this.#prefix}`;
    if (!key.startsWith(start)) return undefined;
    const [path, ...fromUrl] = componentsOf(key.slice(start.length), 1 + this.#byUrl.length);
    return path === undefined ? undefined : { path, fromUrl };
  }

  /** The part that depends on the target only, remembered by its raw text. */
  #urlPart(request: RequestView): string {
    const { url, originalUrl } = request;
    if (url !== originalUrl || url.length > MEMO_URL_LENGTH)
      return this.#makeUrlPart(request, url, originalUrl);
    let part = this.#memo.get(url);
    if (part === undefined) {
      part = this.#makeUrlPart(request, url, originalUrl);
      this.#made = { url, part };
    }
    return part;
  }

  /** The request was a hit: its URL may come again. To be called before another key is built, or nothing happens. */
  remember({ url }: RequestView): void {
    const made = this.#made;
    if (made === undefined) return;
    this.#made = undefined;
    if (made.url !== url) return;
    this.#budget.spend(MEMO_OVERHEAD + url.length + made.part.length);
    this.#memo.set(url, made.part);
  }

  #makeUrlPart(request: RequestView, url: string, originalUrl: string): string {
    let text = this.#prefix + component(splitTarget(url).path);
    for (const strategy of this.#byUrl) text += component(strategy.part(request) as string);
    // Middleware rewrote the target after the client sent it: a handler may read either.
    if (url !== originalUrl) text += component(originalUrl);
    return this.#byRequest.length + this.#byHeader.length > 0 || this.#scoped ? text : this.#text(text);
  }

  #parts(strategies: readonly NamedKeyStrategy[], request: RequestView): MaybePromise<string | KeyBypass> {
    if (strategies.length === 0) return '';
    const parts = strategies.map((strategy) => this.#part(strategy, request));
    return parts.some(isPromiseLike)
      ? Promise.all(parts.map(async (part) => part)).then(joinParts)
      : joinParts(parts as (string | KeyBypass)[]);
  }

  #part(strategy: NamedKeyStrategy, request: RequestView): MaybePromise<string | KeyBypass> {
    if (strategy.covers.custom !== true) return chain(strategy.part(request), withLength);
    return chain(
      callUser('key', this.#route, () => strategy.part(request)),
      (value) => component(this.#customValue(value)),
    );
  }

  #customValue(value: unknown): string {
    if (typeof value === 'string' && value !== '') return `s${value}`;
    if (
      (typeof value === 'number' && !Number.isNaN(value)) ||
      typeof value === 'bigint' ||
      typeof value === 'boolean'
    ) {
      return `v${String(value)}`;
    }
    throw new CacheCallbackError(
      'key',
      this.#route,
      `returned ${describe(value)}; allowed: a non-empty string, a number, a bigint or a boolean; for what is absent, ` +
        "a word such as 'none'",
    );
  }

  #text(components: string): string {
    if (components.length <= MAX_KEY_LENGTH) return flatText(this.#namespace, ':view:', components);
    // The whole of it stands behind the digest: SHA-256 of the text is the key, so another text is another key.
    // Of its UTF-16 units, as UTF-8 would make one text of all lone surrogates.
    return `${this.#namespace}:view:#${createHash('sha256').update(components, 'utf16le').digest('base64url')}`;
  }
}

function withLength(part: string | KeyBypass): string | KeyBypass {
  return typeof part === 'string' ? component(part) : part;
}

function joinParts(parts: readonly (string | KeyBypass)[]): string | KeyBypass {
  let text = '';
  for (const part of parts) {
    if (typeof part !== 'string') return part;
    text += part;
  }
  return text;
}
