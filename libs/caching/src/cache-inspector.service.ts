import type { EntryFacts } from './cache/entry-facts.js';
import type { PastEviction } from './cache/history.js';
import { CacheUsageError, describe } from './caching.errors.js';
import { explainEntry, type Explainer } from './http/explainer.js';
import type { ExplainedEntry, ExplainedTag, ExplainRequest, Explanation } from './http/explanation.js';
import type { RequestDescription } from './http/request-description.js';
import type { ViewPolicy } from './http/route-policy.js';
import { ALL_VIEWS, readTag } from './http/route-tags.js';
import type { RouteTable } from './http/route-table.js';

/** One stored response, without its body and without whose it is. */
export interface FoundEntry extends Omit<ExplainedEntry, 'headers' | 'start'> {
  /** `BooksController.list`. */
  readonly route: string;
  readonly method: string;
  readonly path: string;
  /** What the key took from the query. */
  readonly query: string;
  /** It belongs to one principal. */
  readonly scoped: boolean;
  readonly tags: readonly Omit<ExplainedTag, 'stamp'>[];
  /** For `byKey` of `CacheEvictionService`. Not for logs: it tells who asked for what. */
  readonly key: string;
}

export interface FoundEntries {
  readonly entries: readonly FoundEntry[];
  /** There are more, or not all could be looked at. */
  readonly partial: boolean;
}

/** What the service is wired to. */
export interface InspectorParts {
  readonly explainer: () => Explainer | undefined;
  readonly each: ((visit: (entry: EntryFacts) => boolean) => void) | undefined;
  readonly peek: ((key: string) => EntryFacts | undefined) | undefined;
  readonly routes: () => RouteTable;
  readonly evictions: (limit: number) => readonly PastEviction[];
  readonly now: () => number;
}

/** Entries looked at for one search: some ten milliseconds. */
const MAX_LOOKED_AT = 20_000;

/**
 * Tells what the cache would do, and holds: for the dashboard, tests and administration tools. It gives no bodies, but
 * whose responses there are shows: whoever is let to it has to be somebody who may know.
 */
export class CacheInspector {
  constructor(private readonly parts: InspectorParts) {}

  /**
   * Why a request like this one would be a hit, or not: its key, the route's policy and where each field of it came
   * from, its tags, what is stored, who evicted it last, and what to change for it to be cached. Middleware, guards and
   * the handler are not run; the route's own callbacks are.
   *
   * @throws CacheUsageError where the URL is none
   * @example
   * const { verdict, because, advice } = await inspector.explain({ url: '/books?page=2' });
   */
  async explain(request: ExplainRequest): Promise<Explanation> {
    const url = (request as RequestDescription | undefined)?.url;
    if (typeof url !== 'string' || !url.startsWith('/'))
      throw new CacheUsageError(`explain(${describe(url)}); allowed: a full path such as '/books?page=2'`);
    const explainer = this.parts.explainer();
    if (explainer === undefined)
      throw new CacheUsageError('explain: the application has not started, or not on Express or Fastify');
    return explainer.explain(request);
  }

  /**
   * Stored responses in this process whose path, query, route or tag contains a text, newest first. What else their keys
   * hold, such as whose they are, is not searched: whoever may not see it could find it out letter by letter.
   *
   * @param text case does not matter; empty for all
   * @param limit at the most, 1 to 1,000. Default 100
   */
  search(text: string, limit = 100): FoundEntries {
    const wanted = text.toLowerCase();
    const { each, now } = this.parts;
    const views = this.#views();
    const found: EntryFacts[] = [];
    let looked = 0;
    let total = 0;
    let partial = each === undefined;
    each?.((entry) => {
      if (++looked > MAX_LOOKED_AT) {
        partial = true;
        return false;
      }
      const isFound = isView(entry) && (wanted === '' || matches(entry, views, wanted));
      if (isFound) found[total++ % limit] = entry;
      return true;
    });
    const at = now();
    const entries = found.flatMap((entry) => {
      const known = knownOf(entry, views);
      if (known === undefined) return [];
      const { headers: _headers, start: _start, ...rest } = explainEntry(entry, at);
      return [{ ...rest, ...known }];
    });
    return { entries: entries.toSorted((a, b) => a.ageMs - b.ageMs), partial: partial || total > limit };
  }

  /** What is stored in this process under a key, without its body; nothing where that is not current. */
  entry(key: string): ExplainedEntry | undefined {
    const found = this.parts.peek?.(key);
    return found === undefined ? undefined : explainEntry(found, this.parts.now());
  }

  /** What was evicted lately, newest first, and by whom. */
  evictions(
    limit = 50,
  ): readonly (Omit<PastEviction, 'tags'> & { readonly tags: readonly Omit<ExplainedTag, 'stamp'>[] })[] {
    return this.parts.evictions(limit).map((eviction) => ({ ...eviction, tags: eviction.tags.map(readTag) }));
  }

  #views(): Map<string, ViewPolicy> {
    const views = new Map<string, ViewPolicy>();
    for (const { view } of this.parts.routes().all()) if (view !== undefined) views.set(view.route, view);
    return views;
  }
}

/** Plain values of `CACHE_MANAGER` lie beside the views, and the word that there are several of one key. */
function isView({ tags, vary }: EntryFacts): boolean {
  return vary === undefined && tags.includes(ALL_VIEWS);
}

/** Asked first, as there may be many: what key and tags don't hold, nothing that is read of them does. */
function mayMatch({ key, tags }: EntryFacts, wanted: string): boolean {
  return (
    key.toLowerCase().includes(wanted) ||
    tags.some((tag) => tag.length > 2 && tag.toLowerCase().includes(wanted, 2))
  );
}

/** What may be known of an entry by its key and tags. */
type Known = Pick<FoundEntry, 'route' | 'method' | 'path' | 'query' | 'scoped' | 'tags' | 'key'>;

function knownOf(
  { key, tags: stored }: EntryFacts,
  views: ReadonlyMap<string, ViewPolicy>,
): Known | undefined {
  const tags = stored.map(readTag);
  const view = views.get(tags.find(({ kind, name }) => kind === 'route' && views.has(name))?.name ?? '');
  if (view === undefined) return undefined;
  const parts = view.key.read(key);
  return {
    route: view.route,
    method: view.method,
    path: parts?.path ?? tags.find(({ kind }) => kind === 'path')?.name ?? '',
    query: parts?.fromUrl.filter((part) => part !== '').join('&') ?? '',
    scoped: typeof view.scope === 'function',
    tags: tags.filter(({ kind }) => kind === 'tag'),
    key,
  };
}

function matches(entry: EntryFacts, views: ReadonlyMap<string, ViewPolicy>, wanted: string): boolean {
  const known = mayMatch(entry, wanted) ? knownOf(entry, views) : undefined;
  if (known === undefined) return false;
  const { route, path, query, tags } = known;
  return [route, path, query, ...tags.map(({ name }) => name)].some((text) =>
    text.toLowerCase().includes(wanted),
  );
}
