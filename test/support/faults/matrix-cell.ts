import { setTimeout as delay } from 'node:timers/promises';
import type { NodeRedisClient } from '../../../libs/caching/src/stores/redis/node-redis.js';
import type { Platform } from '../application.js';
import { poll } from '../redis/poll.js';
import { ConstantLoad } from './constant-load.js';
import { HttpClient } from './http-client.js';
import { LoopWatch, percentile } from './loop-watch.js';
import { type MemoryUse, memoryUse } from './memory-use.js';
import { HEARTBEAT, type Shop, startShop, STORE_TIMEOUT } from './shop.js';
import type { Fault, Major, Stage } from './stage.js';
import { Stock } from './stock.js';

/** Load before the fault, so that there is something to lose. Milliseconds. */
const WARM_UP = 600;

/** How long the other instance is watched after hits are back: it has looked at the sequence again by then. */
const AFTER = HEARTBEAT + STORE_TIMEOUT + 200;

/** How long to wait for hits, and for evictions to arrive; a cell that needs longer has failed. Milliseconds. */
const NEVER = 10_000;

/** How long a probe waits until its response is stored. Milliseconds. */
const STORED_WITHIN = 200;

/** A time in milliseconds, and what is left of it without the time in which this process stood still. */
export interface Duration {
  readonly ms: number;
  readonly own: number;
}

/** What was measured of one fault with one client. */
export interface Cell {
  readonly fault: Fault;
  readonly major: Major;
  readonly platform: Platform;
  readonly answered: number;
  readonly hits: number;
  readonly failed: number;
  readonly wrong: number;
  readonly stale: number;
  readonly told: readonly string[];
  /** In the hands of the cache, but for one request in a hundred of those between the fault's begin and hits. */
  readonly cacheTime: Duration;
  /** The longest of all, also before and after the fault. */
  readonly slowest: Duration & { readonly target: string };
  /** How late the event loop was, but for one time in a hundred. */
  readonly loopLate: number;
  /** From the end of the fault until a response that the other instance has stored was a hit. */
  readonly back: Duration;
  /** From the end of the fault to the last response of the other instance from before an eviction during it. */
  readonly old: Duration;
  /** How long the fault lasted. */
  readonly lasted: number;
  /** Bytes that handlers rendered during the fault, and what memory grew by; only where that was asked for. */
  readonly memory: { readonly rendered: number; readonly grown: MemoryUse } | undefined;
}

export interface CellOptions {
  readonly fault: Fault;
  readonly major: Major;
  /** How long the fault lasts, in milliseconds, where Redis doesn't end it by itself. */
  readonly milliseconds: number;
  /** Of the instance that most of the load goes to; the other runs on the other. */
  readonly platform: Platform;
  /** Whether to measure memory, which stops the process for a while. */
  readonly memory: boolean;
}

let cells = 0;

/** Two instances under a constant load, and what they make of a fault. */
export async function measureCell(options: CellOptions): Promise<Cell> {
  const namespace = `matrix${cells++}`;
  const stage = await options.fault.stage(namespace);
  const opened: { close(): unknown }[] = [];
  const watch = new LoopWatch();
  const stock = new Stock();
  try {
    if (options.fault.atStart === true) await stage.begin(options.milliseconds);
    const shop = async (instance: 'a' | 'b'): Promise<Shop> => {
      const { client, close } = await stage.open(options.major, instance);
      opened.unshift({ close });
      const started = await startShop({
        platform: (instance === 'a') === (options.platform === 'fastify') ? 'fastify' : 'express',
        connection: { client: client as unknown as NodeRedisClient },
        namespace,
        stock,
        connected: options.fault.atStart !== true,
      });
      opened.unshift(started);
      return started;
    };
    const shops = { a: await shop('a'), b: await shop('b') };
    return await measure(options, stage, shops, stock, watch);
  } finally {
    watch.stop();
    try {
      for (const each of opened) await each.close();
    } finally {
      await stage.close();
    }
  }
}

async function measure(
  { fault, major, milliseconds, platform, memory }: CellOptions,
  stage: Stage,
  shops: { readonly a: Shop; readonly b: Shop },
  stock: Stock,
  watch: LoopWatch,
): Promise<Cell> {
  const load = new ConstantLoad(shops, stock);
  try {
    await delay(WARM_UP);
    const before = memory ? await memoryUse() : undefined;
    const renderedBefore = stock.rendered;
    const begin = performance.now();
    if (fault.atStart !== true) await stage.begin(milliseconds);
    await load.writeOnce();
    if (fault.endsByItself !== true) await delay(Math.max(0, begin + milliseconds - performance.now()));
    const rendered = stock.rendered - renderedBefore;
    const after = memory ? await memoryUse() : undefined;
    const evicted = stock.allSettled();
    await stage.end();
    const end = performance.now();
    load.expect(evicted);
    await hitsAreBack(shops);
    const back = performance.now();
    await otherIsCurrent(load);
    await delay(AFTER);
    await load.stop();
    const duration = (from: number, to: number): Duration => {
      const ms = Math.max(0, to - from);
      return { ms, own: ms - watch.stalled(from, to) };
    };
    const times = shops.a.times.all.map(({ target, from, to }) => ({ target, from, ...duration(from, to) }));
    const during = times.filter(({ from }) => from >= begin && from <= back);
    return {
      fault,
      major,
      platform,
      ...tally(load),
      cacheTime: {
        ms: percentile(
          Array.from(during, ({ ms }) => ms),
          0.99,
        ),
        own: percentile(
          Array.from(during, ({ own }) => own),
          0.99,
        ),
      },
      slowest: times.reduce((most, each) => (each.own > most.own ? each : most)),
      loopLate: watch.p99,
      back: duration(end, back),
      old: duration(end, load.lastOldAt),
      lasted: end - begin,
      memory: before &&
        after && { rendered, grown: { live: after.live - before.live, rss: after.rss - before.rss } },
    };
  } finally {
    await load.stop();
  }
}

function tally({ answered, hits, failed, wrong, stale, told }: ConstantLoad) {
  return { answered, hits, failed, wrong, stale, told };
}

/** Waits until `b` serves nothing from before an eviction of the fault; where it goes on to, the cell says so. */
async function otherIsCurrent(load: ConstantLoad): Promise<void> {
  const until = performance.now() + NEVER;
  while (!load.isCurrent && performance.now() < until) await delay(10);
}

/** Resolves when `a` serves, as a hit, what `b` has stored: the shared tier is trusted by both. */
async function hitsAreBack({ a, b }: { readonly a: Shop; readonly b: Shop }): Promise<void> {
  const client = new HttpClient();
  let probes = 0;
  try {
    await poll(
      'a hit of what the other instance has stored',
      async () => {
        const path = `/probe/${probes++}`;
        const stored = b.stored();
        await client.ask(b.port, 'GET', path);
        await Promise.race([stored, delay(STORED_WITHIN)]);
        return (await client.ask(a.port, 'GET', path)).verdict === 'HIT' || undefined;
      },
      NEVER,
    );
  } finally {
    client.close();
  }
}
