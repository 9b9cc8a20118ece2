/**
 * What a million small entries cost in the memory store: a look-up, an eviction, the heap. Exits with 1 where one of
 * the limits below is passed.
 *
 *   npm run build:lib && node --expose-gc bench/memory.mjs [entries]
 *
 * The entries are made by the engine as a route with one parameter, one tag and two headers of its own makes them.
 */
import { memory, query } from '../libs/caching/dist/index.js';
import { CacheEvents } from '../libs/caching/dist/observe/events.js';
import { sizeOf } from '../libs/caching/dist/cache/entry.js';
import { ViewCache } from '../libs/caching/dist/cache/view-cache.js';
import { KeyBuilder } from '../libs/caching/dist/http/key-builder.js';
import { RequestView } from '../libs/caching/dist/http/request-view.js';
import {
  ALL_VIEWS,
  routeParamsTag,
  routeTag,
  targetTags,
  userTag,
} from '../libs/caching/dist/http/route-tags.js';

const LIMITS = {
  /** Microseconds that a look-up among all entries may take more than one among a thousand. */
  dearerLookup: 2,
  /** Milliseconds of one eviction by tag. */
  eviction: 1,
  /** Growth of heap and external memory, as a share of `maxBytes`. */
  growth: 1.25,
  /** What is left after `all()` and a collection, as a share of the baseline. */
  left: 1.1,
};

const SMALL = 1_000;
const LARGE = Number(process.argv[2] ?? 1_000_000);
const ROUNDS = 200;
const EVICTIONS = 200;
const ROUTE = 'BooksController.one';
const FOR_A_DAY = 86_400_000;
const KEYS = new KeyBuilder({
  namespace: 'cache',
  version: '',
  route: ROUTE,
  method: 'GET',
  scoped: false,
  strategies: [query()],
});

const gc = globalThis.gc;
if (gc === undefined) {
  process.stderr.write('Run it as: node --expose-gc bench/memory.mjs\n');
  process.exit(2);
}

/** The shapes of entries whose overhead is compared; the first is the one that a million is made of. */
const SHAPES = {
  'a small JSON body, two headers, one tag': { body: 150, headers: 2, tags: 1, depth: 2 },
  'no body, no headers, no tags': { body: 0, headers: 0, tags: 0, depth: 1 },
  'a 1 KB body, eight headers, ten tags, a deep path': { body: 1_024, headers: 8, tags: 10, depth: 8 },
  'a path that is not Latin-1': { body: 150, headers: 2, tags: 1, depth: 6, segment: '/%E6%9B%B8%E7%B1%8D' },
};

/** All of one length, so that all entries of a shape are of one size. */
function idOf(n) {
  return String(n).padStart(7, '0');
}

/** As a route of the default key makes it. */
function keyOf(shape, n) {
  return KEYS.build(new RequestView({ method: 'GET', url: targetOf(shape, n), headers: {} }), undefined).key;
}

function targetOf({ depth, segment = '/books' }, n) {
  return `${segment.repeat(depth - 1)}/number-${idOf(n)}`;
}

function responseOf({ body, headers }, n) {
  const names = ['Content-Type', 'Content-Length', 'X-One', 'X-Two', 'X-Three', 'X-Four', 'X-Five', 'X-Six'];
  const bytes = Buffer.allocUnsafeSlow(body).fill(`{"id":"${idOf(n)}"} `);
  return {
    status: 200,
    headers: names.slice(0, headers).map((name) => [name, `value ${idOf(n)} of ${name}`]),
    removed: [],
    body: body === 0 ? undefined : bytes,
    delivery: 'framework',
  };
}

function tagsOf(shape, n) {
  const own = Array.from({ length: shape.tags }, (_, at) => userTag(`book:${idOf(n)}:${at}`));
  return [
    ALL_VIEWS,
    routeTag(ROUTE),
    ...own,
    routeParamsTag(ROUTE, { id: idOf(n) }),
    ...targetTags(targetOf(shape, n)),
  ];
}

class Filled {
  constructor(count, shape, maxBytes = Number.MAX_SAFE_INTEGER) {
    this.count = count;
    this.shape = shape;
    this.store = memory({ maxBytes, maxEntries: count });
    this.cache = new ViewCache({
      store: this.store,
      clock: { now: () => Date.now(), after: (delay, task) => void setTimeout(() => task(), delay).unref() },
      events: new CacheEvents((error) => process.stderr.write(`${String(error)}\n`)),
      storeTimeout: 100,
      coalesceTimeout: 30_000,
    });
  }

  fill() {
    for (let n = 0; n < this.count; n++) {
      const view = { route: ROUTE, key: keyOf(this.shape, n) };
      const { fill } = this.cache.join(view, this.cache.lookup(view.key), tagsOf(this.shape, n));
      fill.store(responseOf(this.shape, n), FOR_A_DAY);
    }
    return this;
  }

  /**
   * Microseconds of a look-up that hits, all entries being equally likely: of many short rounds the median, which is
   * held to the limit, and the best, which tells what the machine does without other work.
   */
  lookup() {
    const rounds = [];
    for (let round = 0; round < ROUNDS; round++) {
      const keys = Array.from({ length: 2_000 }, () => {
        // A text of its own, as that of most requests is, and not the stored one.
        const key = keyOf(this.shape, Math.floor(Math.random() * this.count));
        return Buffer.from(key, 'latin1').toString('latin1');
      });
      const before = performance.now();
      let hits = 0;
      for (const key of keys) if ('response' in this.cache.lookup(key)) hits++;
      rounds.push(((performance.now() - before) * 1_000) / keys.length);
      if (hits !== keys.length) throw new Error(`${keys.length - hits} look-ups of ${keys.length} missed`);
    }
    rounds.sort((a, b) => a - b);
    return { median: rounds[ROUNDS >> 1], best: rounds[0] };
  }

  /** Milliseconds of evictions by a tag, the median and the longest, with time for the freeing between them. */
  async evictions() {
    const took = [];
    for (let n = 0; n < EVICTIONS; n++) {
      const before = performance.now();
      this.cache.evict([userTag(`book:${idOf(n)}:0`)]);
      took.push(performance.now() - before);
      await nextTurn();
    }
    took.sort((a, b) => a - b);
    return { median: took[took.length >> 1], longest: took.at(-1) };
  }
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

/** Heap and external memory that is reachable. */
async function used() {
  for (let n = 0; n < 4; n++) {
    gc();
    await nextTurn();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Bytes that an entry of a shape takes, really and as the store counts them. */
async function overheadOf(shape, count) {
  const filled = new Filled(count, shape);
  const before = await used();
  filled.fill();
  const real = ((await used()) - before) / count;
  const counted = filled.store.bytes / count;
  filled.store.close();
  return { real, counted };
}

const failures = [];

function show(what, value, unit, limit) {
  const isOver = limit !== undefined && !(value <= limit);
  if (isOver) failures.push(what);
  const note = limit === undefined ? '' : `  (limit ${limit}${isOver ? ', PASSED' : ''})`;
  process.stdout.write(`${what.padEnd(58)} ${value.toFixed(3).padStart(12)} ${unit}${note}\n`);
}

const mebibytes = (bytes) => bytes / 2 ** 20;

process.stdout.write(`Node ${process.version}, ${process.platform} ${process.arch}, ${LARGE} entries\n\n`);

const [main, ...others] = Object.entries(SHAPES);
for (const [name, shape] of [main, ...others]) {
  const { real, counted } = await overheadOf(shape, Math.min(100_000, LARGE));
  show(`bytes of an entry: ${name}`, real, 'real');
  show('', counted, 'counted');
  show('  real by counted', real / counted, '', LIMITS.growth);
}

const [, shape] = main;
const sample = new Filled(1, shape).fill();
// A bound that they fill to the last per cent, so that it is the bound that is measured.
const maxBytes = sizeOf(sample.cache.lookup(keyOf(shape, 0))) * LARGE;

const small = new Filled(SMALL, shape).fill();
small.lookup();
const lookupSmall = small.lookup();
const evictSmall = await small.evictions();
small.store.close();

const large = new Filled(LARGE, shape, maxBytes);
const baseline = await used();
large.fill();
const full = await used();
process.stdout.write('\n');
show('entries held', large.store.entries, '');
show('memory of an empty store and all else', mebibytes(baseline), 'MiB');
show('memory filled', mebibytes(full), 'MiB');
show('resident set filled', mebibytes(process.memoryUsage().rss), 'MiB');
show('growth by maxBytes', (full - baseline) / maxBytes, '', LIMITS.growth);
show('growth by bytes counted', (full - baseline) / large.store.bytes, '', LIMITS.growth);
if (large.store.entries !== LARGE) failures.push('the store does not hold all entries');

const lookupLarge = large.lookup();
process.stdout.write('\n');
for (const which of ['median', 'best']) {
  show(`look-up among ${SMALL}, ${which}`, lookupSmall[which], 'µs');
  show(`look-up among ${LARGE}, ${which}`, lookupLarge[which], 'µs');
}
show('dearer by, best', lookupLarge.best - lookupSmall.best, 'µs');
show('dearer by, median', lookupLarge.median - lookupSmall.median, 'µs', LIMITS.dearerLookup);

const evictLarge = await large.evictions();
process.stdout.write('\n');
show(`eviction by tag among ${SMALL}, median`, evictSmall.median, 'ms', LIMITS.eviction);
show(`eviction by tag among ${SMALL}, longest of ${EVICTIONS}`, evictSmall.longest, 'ms');
show(`eviction by tag among ${LARGE}, median`, evictLarge.median, 'ms', LIMITS.eviction);
show(`eviction by tag among ${LARGE}, longest of ${EVICTIONS}`, evictLarge.longest, 'ms');

let longestTurn = 0;
const begin = performance.now();
large.cache.evict([ALL_VIEWS]);
while (large.store.entries > 0) {
  const before = performance.now();
  await nextTurn();
  longestTurn = Math.max(longestTurn, performance.now() - before);
  if (performance.now() - begin > 120_000) {
    failures.push('what all() evicted was not freed within two minutes');
    break;
  }
}
process.stdout.write('\n');
// The walks that the evictions above began, and the rest that follows each, come first.
show('freed after all() in', performance.now() - begin, 'ms');
show('longest turn of the event loop meanwhile', longestTurn, 'ms');
const left = await used();
// The store is still there, with room for as many.
show('entries left', large.store.entries, '');
show('memory after all() and a collection', mebibytes(left), 'MiB');
show('by the baseline', left / baseline, '', LIMITS.left);

if (failures.length > 0) {
  process.stdout.write(`\nPassed their limits: ${failures.join('; ')}\n`);
  process.exitCode = 1;
}
