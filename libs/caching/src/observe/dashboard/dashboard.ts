import type { ServerResponse } from 'node:http';
import type { CacheEvictionService } from '../../cache-eviction.service.js';
import type { CacheInspector, FoundEntry } from '../../cache-inspector.service.js';
import type { Clock } from '../../cache/clock.js';
import { CacheUsageError, describe } from '../../caching.errors.js';
import type { ExplainRequest } from '../../http/explanation.js';
import type { RoutePath } from '../../http/route-matcher.js';
import { RecentMap } from '../../recent-map.js';
import type { CacheEvents } from '../events.js';
import { keyDigest } from '../key-digest.js';
import { LiveFeed } from './live-feed.js';
import { LiveLog } from './live-log.js';
import { DURATION_CLASSES, LiveStats } from './live-stats.js';
import { StoreHealth } from './store-health.js';
import type { PageView, Toolbar } from './toolbar.js';

/** What memory the process has for entries, and how much of it is in use. */
export interface MemoryUse {
  readonly entries: number;
  readonly bytes: number;
  readonly maxEntries: number | undefined;
  readonly maxBytes: number | undefined;
}

/** What the dashboard is wired to. */
export interface DashboardParts {
  readonly events: CacheEvents;
  readonly clock: Clock;
  readonly inspector: CacheInspector;
  /** Evicts in the dashboard's name. */
  readonly evictions: CacheEvictionService;
  readonly namespace: string;
  readonly store: string;
  readonly memory: () => MemoryUse | undefined;
  readonly routes: () => readonly RoutePath[];
  readonly toolbar: Toolbar | undefined;
}

/** Entries whose keys are remembered by what stands for them: those that were shown lately, at most twice as many. */
const KNOWN_ENTRIES = 2_000;

const EVICTIONS = ['tag', 'path', 'prefix', 'route', 'entry', 'all'] as const;

/** What the page shows and does. Knows nothing of HTTP but where to write to. */
export class Dashboard {
  readonly #stats = new LiveStats();
  readonly #log = new LiveLog();
  readonly #store = new StoreHealth();
  readonly #known = new RecentMap<FoundEntry>(KNOWN_ENTRIES);
  readonly #stop: () => void;
  readonly feed: LiveFeed<ReturnType<Dashboard['health']>>;

  constructor(private readonly parts: DashboardParts) {
    this.#stop = parts.events.on((event) => {
      this.#stats.take(event);
      this.#log.take(event);
      this.#store.take(event);
      parts.toolbar?.take(event);
    });
    this.feed = new LiveFeed(parts.clock, this.#stats, this.#log, () => this.health());
  }

  get namespace(): string {
    return this.parts.namespace;
  }

  follow(response: ServerResponse): boolean {
    return this.feed.open(response);
  }

  /** What the cache did for a page of the application, for its toolbar. */
  page(id: string, url: string): PageView | undefined {
    return this.parts.toolbar?.view(id, url);
  }

  /** What does not change while the application runs. */
  facts() {
    return {
      classes: DURATION_CLASSES,
      routes: this.parts.routes().map(({ route, method, path }) => ({
        route: route.site.name,
        method,
        path,
        cached: route.view !== undefined,
      })),
    };
  }

  health() {
    const { rss, heapUsed } = process.memoryUsage();
    return {
      uptimeS: Math.floor(process.uptime()),
      rss,
      heapUsed,
      memory: this.parts.memory(),
      store: { name: this.parts.store, ...this.#store.now },
    };
  }

  search(text: string) {
    const { entries, partial } = this.parts.inspector.search(text, 100);
    return { partial, entries: entries.map((entry) => this.#shown(entry)) };
  }

  /** One of those that were found, as it is now. */
  entry(id: string) {
    const known = this.#known.get(id);
    if (known === undefined) return undefined;
    const entry = this.parts.inspector.entry(known.key);
    return entry === undefined
      ? undefined
      : { ...this.#shown({ ...known, ...entry }), headers: entry.headers, start: entry.start };
  }

  evicted() {
    return this.parts.inspector.evictions(50);
  }

  explain(given: unknown) {
    return this.parts.inspector.explain(described(given));
  }

  /** @throws CacheUsageError where that names nothing that can be evicted */
  async evict(given: unknown) {
    const { by, value } = (given ?? {}) as { by?: unknown; value?: unknown };
    const kind = EVICTIONS.find((each) => each === by);
    if (kind === undefined || (kind !== 'all' && (typeof value !== 'string' || value === '')))
      throw new CacheUsageError(`evict by ${describe(by)}; allowed: ${EVICTIONS.join(', ')}, with a value`);
    const { evictions } = this.parts;
    const text = value as string;
    switch (kind) {
      case 'tag':
        return evictions.byTag(text);
      case 'path':
        return evictions.byPath(text);
      case 'prefix':
        return evictions.byPrefix(text);
      case 'entry': {
        const known = this.#known.get(text);
        if (known === undefined)
          throw new CacheUsageError('evict: this entry is not known any more; search again');
        return evictions.byKey(known.key);
      }
      case 'route': {
        const found = this.parts.routes().find(({ route }) => route.site.name === text)?.route.site;
        if (found === undefined) throw new CacheUsageError(`evict: there is no route ${describe(text)}`);
        return evictions.byRoute(found.controller, found.method);
      }
      case 'all':
        return evictions.all();
    }
  }

  close(): void {
    this.#stop();
    this.feed.close();
  }

  /** Without its key, which tells who asked for what; what stands for it is as good here. */
  #shown({ key, ...entry }: FoundEntry) {
    const id = keyDigest(key);
    this.#known.set(id, { ...entry, key });
    return { ...entry, id };
  }
}

/** A request as somebody typed it. */
function described(given: unknown): ExplainRequest {
  const { method, url, headers, body, user } = (given ?? {}) as Record<string, unknown>;
  const fields = Object.fromEntries(
    Object.entries(headers ?? {}).map(([name, value]: [string, unknown]) => {
      if (typeof value === 'string') return [name, value];
      throw new CacheUsageError(
        `explain: the header ${describe(name)} is ${describe(value)}; allowed: a text`,
      );
    }),
  );
  const { cookie } = fields;
  return {
    url: typeof url === 'string' ? url : '',
    ...(typeof method === 'string' && { method }),
    headers: fields,
    ...(cookie !== undefined && { cookies: cookiesOf(cookie) }),
    ...(body !== undefined && { body }),
    ...(user !== undefined && { user }),
  };
}

function cookiesOf(text: string): Record<string, string> {
  const pairs = text.split(';').map((pair) => {
    const [name = '', ...value] = pair.split('=');
    return [name.trim(), value.join('=').trim()] as const;
  });
  return Object.fromEntries(pairs.filter(([name]) => name !== ''));
}
