import type { Clock } from '../cache/clock.js';
import { type Entry, isEntry } from '../cache/entry.js';
import { EntryFacts } from '../cache/entry-facts.js';
import type { ViewKey } from '../cache/fill.js';
import type { History } from '../cache/history.js';
import type { ViewCache } from '../cache/view-cache.js';
import { CacheCallbackError } from '../caching.errors.js';
import type { ResolvedOptions } from '../caching.options.js';
import { CACHE_VIEW, NO_CACHE } from '../decorators.js';
import { admit } from './admission.js';
import { BYPASS_ADVICE, SKIP_ADVICE } from './advice.js';
import type { ExplainedEntry, ExplainedTag, ExplainRequest, Explanation } from './explanation.js';
import { freshFor, generatedAt } from './hit-fields.js';
import type { KeyBypass } from './key-strategy.js';
import { policyFields } from './policy-origin.js';
import { describedRequest } from './request-description.js';
import { type RequestView, splitTarget } from './request-view.js';
import type { MatchedRoute, RouteMatcher } from './route-matcher.js';
import type { ViewPolicy } from './route-policy.js';
import { readTag } from './route-tags.js';
import { answersOnError, answersWhileRevalidating } from './stale/stale-life.js';
import { askUser } from './user-callback.js';

/** What explanations are made from. */
export interface ExplainerParts {
  readonly routes: RouteMatcher;
  readonly cache: Pick<ViewCache, 'lookup'>;
  readonly stampOf: (tag: string) => number | undefined;
  readonly history: History;
  readonly options: ResolvedOptions;
  readonly clock: Clock;
}

/** A described request, and what is known of it so far. */
interface Case {
  readonly known: Pick<Explanation, 'method' | 'path' | 'route' | 'template' | 'policy'>;
  readonly view: ViewPolicy;
  readonly request: RequestView;
}

/** What becomes of a request for an entry that is not fresh any more. */
function whenStale(entry: Entry, now: number): string {
  if (answersWhileRevalidating(entry, now)) return 'it answers, and is renewed in the background.';
  return answersOnError(entry, now)
    ? 'the handler runs, and where it fails what is stored answers.'
    : 'the handler runs.';
}

/** Goes the way of a request as `ViewServer` does, runs nothing of the handler's, and says why at each turn. */
export class Explainer {
  constructor(private readonly parts: ExplainerParts) {}

  async explain(given: ExplainRequest): Promise<Explanation> {
    const method = (given.method ?? 'GET').toUpperCase();
    const { path } = splitTarget(given.url);
    const known = { method, path };
    const matched = this.parts.routes.find(method, path);
    if (matched === undefined) return this.#noRoute(known);
    const { route, template } = { route: matched.route.site.name, template: matched.path };
    const { view } = matched.route;
    if (view === undefined) return { ...known, route, template, ...notCached(matched) };
    const policy = policyFields(matched.route.site, view, this.parts.options.policy);
    const request = describedRequest(
      { params: matched.params, ...given, headers: headersOf(given, method) },
      method,
    );
    const each: Case = { known: { ...known, route, template, policy }, view, request };
    if (!this.parts.options.enabled)
      return {
        ...each.known,
        verdict: 'not-cached',
        reason: 'disabled',
        because: 'The cache is switched off.',
        advice: ['Set enabled: true.'],
      };
    try {
      return await this.#follow(each);
    } catch (error) {
      if (!(error instanceof CacheCallbackError)) throw error;
      const { message } = error;
      return { ...each.known, verdict: 'error', reason: 'callback', because: message, advice: [] };
    }
  }

  #noRoute(known: { method: string; path: string }): Explanation {
    const methods = this.parts.routes.methodsAt(known.path);
    const because = `No handler answers ${known.method} ${known.path}.`;
    const advice = methods.length === 0 ? [] : [`Handlers of this path answer ${methods.join(', ')}.`];
    return { ...known, verdict: 'no-route', reason: 'no-route', because, advice };
  }

  async #follow(each: Case): Promise<Explanation> {
    const { view, request } = each;
    const { options } = this.parts;
    const admitted = await admit(view, request, options);
    if ('bypass' in admitted) return bypassed(each, admitted.bypass);
    const built = await view.key.build(request, admitted.principal);
    const viewKey = 'bypass' in built ? built : await this.#variantOf(each, built);
    if ('bypass' in viewKey) return bypassed(each, viewKey.bypass);
    const key = await view.key.describe(request, admitted.principal);
    const { refresh } = view;
    if (refresh !== undefined && (await askUser('refresh', view.route, () => refresh(request)))) {
      const because =
        'The refresh callback of the route returned true: the handler runs, and what it sends is stored.';
      return { ...each.known, key, verdict: 'refresh', reason: 'refresh', because, advice: [] };
    }
    const found = await this.parts.cache.lookup(viewKey.key);
    const entry = isEntry(found) ? found : found.stale;
    const tags = entry?.tags ?? [...(await view.tags(request)), viewKey.key];
    const rest = { ...each.known, key, ...this.#past(viewKey.key, tags), tags: this.#tags(tags) };
    if (entry === undefined) return { ...rest, ...this.#missed(rest) };
    const stored = this.#entry(entry);
    if (isEntry(found))
      return {
        ...rest,
        entry: stored,
        verdict: 'hit',
        reason: 'fresh',
        because: 'It is stored and fresh.',
        advice: [],
      };
    return {
      ...rest,
      entry: stored,
      verdict: 'stale',
      reason: 'expired',
      because: `It is stored, and no longer fresh: ${whenStale(entry, this.parts.clock.now())}`,
      advice: ['Give it a longer ttl.'],
    };
  }

  /** Where a response of its own lies for requests that its route tells apart by what was in `Vary`. */
  async #variantOf({ view, request }: Case, built: ViewKey): Promise<ViewKey | KeyBypass> {
    const own = view.learned.viewOf(built, request.headers);
    if ('bypass' in own || own !== built) return own;
    const found = await this.parts.cache.lookup(built.key);
    return (!isEntry(found) && view.learned.elsewhere(built, found.vary, request.headers)) || built;
  }

  #past(key: string, tags: readonly string[]): Pick<Explanation, 'lastFill' | 'lastEviction'> {
    const lastFill = this.parts.history.lastFillOf(key);
    const eviction = this.parts.history.lastEvictionOf(tags);
    return {
      ...(lastFill && { lastFill }),
      ...(eviction && {
        lastEviction: { at: eviction.at, by: eviction.by, tags: this.#tags(eviction.matched) },
      }),
    };
  }

  #missed({
    lastFill,
    lastEviction,
  }: Pick<Explanation, 'lastFill' | 'lastEviction'>): Pick<
    Explanation,
    'verdict' | 'reason' | 'because' | 'advice'
  > {
    const verdict = 'miss';
    if (lastFill !== undefined && lastFill.outcome !== 'stored') {
      const { because, change } = SKIP_ADVICE[lastFill.outcome];
      const advice = change === undefined ? [] : [change];
      return {
        verdict,
        reason: lastFill.outcome,
        because: `The last response was not stored. ${because}`,
        advice,
      };
    }
    if (lastEviction !== undefined && lastEviction.at >= (lastFill?.at ?? 0)) {
      const because = 'It was evicted, and nobody has asked since.';
      const advice = ['Nothing, if what changed concerns this response; otherwise evict by narrower tags.'];
      return { verdict, reason: 'evicted', because, advice };
    }
    if (lastFill !== undefined) {
      const because = 'It was stored, and has expired or made room for others.';
      return {
        verdict,
        reason: 'expired',
        because,
        advice: ['Give it a longer ttl, or the store more room.'],
      };
    }
    const because =
      'Nothing is stored under its key: nobody has asked for it, or too long ago to be remembered.';
    return {
      verdict,
      reason: 'never-filled',
      because,
      advice: ['Send it once: the next one like it is a hit.'],
    };
  }

  #tags(tags: readonly string[]): ExplainedTag[] {
    return tags.map((tag) => ({ ...readTag(tag), stamp: this.parts.stampOf(tag) }));
  }

  #entry(entry: Entry): ExplainedEntry {
    return explainEntry(new EntryFacts(entry), this.parts.clock.now());
  }
}

/** What may be shown of an entry: never its body. */
export function explainEntry(entry: EntryFacts, now: number): ExplainedEntry {
  return {
    status: entry.status,
    bodyBytes: entry.bodyBytes,
    bytes: entry.bytes,
    ageMs: now - generatedAt(entry),
    freshForMs: freshFor(entry, now),
    tier: entry.tier ?? 'local',
    start: entry.start.n,
    headers: entry.headers.map(([name, value]) => [
      name,
      SECRET.test(name) ? '(hidden)' : [value].flat().join(', '),
    ]),
  };
}

/** Fields that tell who somebody is, or let them in. */
const SECRET = /auth|cookie|token|secret|session|signature|passw|api-?key|credential|jwt|[cx]srf/i;

function headersOf(given: ExplainRequest, method: string): Record<string, string> {
  const hasBody = given.body !== undefined && method === 'GET';
  return { ...given.headers, ...(hasBody && { 'transfer-encoding': 'chunked' }) };
}

function bypassed({ known }: Case, reason: keyof typeof BYPASS_ADVICE): Explanation {
  const { because, change } = BYPASS_ADVICE[reason];
  return { ...known, verdict: 'bypass', reason, because, advice: change === undefined ? [] : [change] };
}

function notCached({
  route: { site },
  method,
}: MatchedRoute): Pick<Explanation, 'verdict' | 'reason' | 'because' | 'advice'> {
  const verdict = 'not-cached';
  const handler = site.controller.prototype[site.method] as object;
  const says = (key: string): boolean =>
    Reflect.hasMetadata(key, handler) || Reflect.hasMetadata(key, site.controller);
  if (says(NO_CACHE)) {
    const because = 'It, or its controller, says @NoCache().';
    return { verdict, reason: 'decorator', because, advice: ['Take @NoCache() away.'] };
  }
  if (says(CACHE_VIEW)) {
    const because =
      'It is a stream of server-sent events, or has another method than the ones its controller caches.';
    return {
      verdict,
      reason: 'no-cache-view',
      because,
      advice: ['Give it a @CacheView of its own, unless it is a stream.'],
    };
  }
  const because = 'It has no @CacheView.';
  const line = method === 'GET' || method === 'ALL' ? '@CacheView()' : '@CacheView({ key: jsonBody() })';
  return { verdict, reason: 'no-cache-view', because, advice: [`Add ${line}, if it only reads.`] };
}
