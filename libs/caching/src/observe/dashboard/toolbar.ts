import { randomUUID } from 'node:crypto';
import type { EntryFacts } from '../../cache/entry-facts.js';
import type { Exchange } from '../../http/delivery.js';
import type { PageWatch } from '../../http/page-watch.js';
import type { FrameworkResponse, HttpPlatform } from '../../http/platform/platform.js';
import { nodeRequest, type RequestView } from '../../http/request-view.js';
import type { RoutePolicy } from '../../http/route-policy.js';
import type { CacheEvent, RequestRef } from '../cache-event.js';
import { RequestTrace } from '../request-trace.js';

/** Pages that are remembered: what a browser has just loaded. */
const MAX_PAGES = 200;

/** What the cache did for one page. */
export interface PageView {
  readonly route: string;
  readonly verdict: string;
  readonly reason?: string;
  readonly key?: string;
  readonly ageMs?: number;
  readonly tags?: readonly string[];
  /** What the look-up took. */
  readonly storeMs?: number;
  readonly handlerMs?: number;
  readonly savedMs?: number;
}

interface Page {
  readonly id: string;
  readonly route: RoutePolicy;
  readonly url: string;
  exchange: Exchange | undefined;
}

export interface ToolbarParts {
  /** The path of the toolbar's script within the application; nothing before it has started. */
  readonly script: () => string | undefined;
  /** Whether a route is one of the dashboard's own. */
  readonly isOwn: (route: RoutePolicy) => boolean;
  readonly peek: (key: string) => EntryFacts | undefined;
  readonly tagNames: (tags: readonly string[]) => readonly string[];
}

/**
 * Adds the script of the badge to pages, and remembers what happened to them. What is added is the same each time, so
 * that validators of pages stay true; which view of the page it was stands in `Server-Timing`, which comes with a 304
 * as well.
 */
export class Toolbar implements PageWatch {
  /** Oldest first. */
  readonly #pages: Page[] = [];
  readonly #events = new WeakMap<RequestRef, CacheEvent[]>();

  constructor(private readonly parts: ToolbarParts) {}

  /** Listens. */
  take(event: CacheEvent): void {
    if (!('request' in event)) return;
    const known = this.#events.get(event.request);
    if (known === undefined) this.#events.set(event.request, [event]);
    else known.push(event);
  }

  watch(
    route: RoutePolicy,
    platform: HttpPlatform,
    request: RequestView,
    response: FrameworkResponse,
  ): ((exchange: Exchange) => void) | undefined {
    const script = this.parts.script();
    const mount = mountOf(request);
    if (script === undefined || mount === undefined || this.parts.isOwn(route)) return undefined;
    const id = randomUUID();
    const page: Page = { id, route, url: request.originalUrl, exchange: undefined };
    platform.appendToPage(response, {
      markup: (policy) => `\n<script type="module" src="${mount}${script}"${nonceOf(policy)}></script>\n`,
      fields: () => {
        if (this.#pages.length >= MAX_PAGES) this.#pages.shift();
        this.#pages.push(page);
        const { verdict } = this.#view(page);
        return [['Server-Timing', `cache-view;desc="${id}", cache-verdict;desc="${verdict}"`]];
      },
    });
    return (exchange) => (page.exchange = exchange);
  }

  /** What happened to a page, by what its `Server-Timing` named; where that can't be read, the last of its URL. */
  view(id: string, url: string): PageView | undefined {
    const page =
      this.#pages.findLast((each) => each.id === id) ?? this.#pages.findLast((each) => each.url === url);
    return page && this.#view(page);
  }

  #view({ route, exchange }: Page): PageView {
    const { name } = route.site;
    if (exchange === undefined)
      return { route: name, verdict: 'not-cached', reason: 'no @CacheView, or the cache is off' };
    const { trace } = exchange;
    const events = (trace && this.#events.get(trace)) ?? [];
    const key = trace && RequestTrace.keyOf(trace);
    const entry = key === undefined ? undefined : this.parts.peek(key);
    return {
      route: name,
      verdict: 'miss',
      ...(key !== undefined && { key }),
      ...(entry && { tags: this.parts.tagNames(entry.tags) }),
      ...Object.assign({}, ...events.toSorted(skippedFirst).map(factsOf)),
    };
  }
}

/** Of a handler that failed, something stale may have taken the place: that is the page's verdict. */
function skippedFirst(a: CacheEvent, b: CacheEvent): number {
  return Number(b.type === 'skipped') - Number(a.type === 'skipped');
}

function factsOf(event: CacheEvent): Partial<PageView> {
  switch (event.type) {
    case 'lookup':
      return { storeMs: event.lookupMs };
    case 'hit':
    case 'stale':
      return {
        verdict: event.type,
        ageMs: event.ageMs,
        ...(event.savedMs !== undefined && { savedMs: event.savedMs }),
        ...(event.reason !== undefined && { reason: event.reason }),
      };
    case 'coalesced':
      return { verdict: 'coalesced' };
    case 'bypassed':
      return { verdict: 'bypassed', reason: event.reason };
    case 'skipped':
      return { verdict: 'skipped', reason: event.reason, handlerMs: event.handlerMs };
    case 'stored':
      return event.handlerMs === undefined ? {} : { handlerMs: event.handlerMs };
    default:
      return {};
  }
}

/** Characters of a path's segments (RFC 3986 §3.3) that mean nothing in an attribute. */
const PLAIN_PATH = /^(?:\/[\w.~!$()*+,;=:@%-]+)*$/;

/**
 * Under which path of another Express application this one is mounted; '' where it is at the root. It is the client's
 * spelling of that path, so one that could mean more in a page than a path is none.
 */
function mountOf({ raw }: RequestView): string | undefined {
  const { baseUrl = '' } = nodeRequest(raw);
  return PLAIN_PATH.test(baseUrl) ? baseUrl : undefined;
}

/** What rules the elements of scripts is the first of these that a policy has (CSP3 §6.8.3). */
const OF_SCRIPTS = ['script-src-elem', 'script-src', 'default-src'].map(
  (name) => new RegExp(`(?:^|[;,])\\s*${name}\\s([^;,]*)`, 'i'),
);

/** A page that runs only scripts with its nonce has one for ours, as we are asked to add it. */
function nonceOf(policy = ''): string {
  const sources = OF_SCRIPTS.map((directive) => directive.exec(policy)?.[1]).find(
    (each) => each !== undefined,
  );
  const nonce = /'nonce-([\w+/=-]+)'/i.exec(sources ?? '')?.[1];
  return nonce === undefined ? '' : ` nonce="${nonce}"`;
}
