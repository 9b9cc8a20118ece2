import { systemClock } from '../../../libs/caching/src/cache/clock.js';
import { redis } from '../../../libs/caching/src/stores/redis/redis.store.js';
import type { Coherence } from '../../../libs/caching/src/stores/tiered.store.js';
import { setTimeout as delay } from 'node:timers/promises';
import * as fc from 'fast-check';
import { FaultProxy, startFaultProxy } from '../redis/fault-proxy.js';
import type { Defect } from './defects.js';
import { serveClient, waitForHits } from './clients.js';
import { HistoryInstance } from './history-instance.js';
import { countAll, type HistoryCount, JudgedInstance } from './judged-instance.js';
import { ObservedTier } from './observed-tier.js';
import { HistoryWorld } from './world.js';

export const TIMES = { heartbeat: 150, storeTimeout: 60 } as const;

/** Milliseconds after which an eviction has to be known everywhere. */
export function boundOf(coherence: Coherence): number {
  return coherence === 'strict' ? 0 : TIMES.heartbeat + TIMES.storeTimeout;
}

const SIZE = 3;
/** Clients of each instance that are served at the same time. */
const CLIENTS = 8;
/** Parts of work before they repeat themselves. */
const STEPS = 4_000;
/** By how much one instance reaches a new primary before the others. */
const AHEAD_MS = 600;

/** Milliseconds that a part of a handler's work takes: now and then more than what was missed may go unnoticed. */
const work = fc.oneof(
  { weight: 40, arbitrary: fc.nat({ max: 6 }) },
  { weight: 1, arbitrary: fc.constant(3 * (TIMES.heartbeat + TIMES.storeTimeout)) },
);

export interface GroupOptions {
  readonly port: number;
  readonly coherence: Coherence;
  readonly seed: number;
  readonly waitForReplicas?: number;
  /** As in `user:password`. */
  readonly credentials?: string;
  readonly defect?: Defect | undefined;
}

/** Instances on one Redis, each behind a proxy of its own, and the clients that they serve. */
export class HistoryGroup {
  readonly world: HistoryWorld;
  readonly instances: JudgedInstance<HistoryInstance>[] = [];
  readonly tiers: ObservedTier[] = [];
  readonly proxies: FaultProxy[] = [];
  readonly #ended: JudgedInstance[] = [];
  #isOver = false;

  private constructor(private readonly options: GroupOptions) {
    this.world = new HistoryWorld(systemClock, boundOf(options.coherence));
  }

  static async start(options: GroupOptions): Promise<HistoryGroup> {
    const group = new HistoryGroup(options);
    for (let place = 0; place < SIZE; place++) {
      group.proxies.push(await startFaultProxy({ port: options.port }));
      group.instances.push(group.#build(place));
    }
    return group;
  }

  get count(): HistoryCount {
    return countAll([...this.#ended, ...this.instances]);
  }

  /** Serves clients until `work` is done, or a violation was found. */
  async serveDuring(work: (isOver: () => boolean) => Promise<void>): Promise<void> {
    const isOver = () => this.#isOver || this.world.violations.length > 0;
    const clients = this.instances.flatMap((_, place) =>
      Array.from({ length: CLIENTS }, (__, client) =>
        serveClient(
          this.options.seed + 100 * place + client,
          () => this.instances[place] as JudgedInstance,
          isOver,
        ),
      ),
    );
    try {
      await work(isOver);
    } finally {
      this.#isOver = true;
      await Promise.all(clients);
      this.#isOver = false;
    }
  }

  async restart(place: number): Promise<void> {
    const before = this.instances[place] as JudgedInstance<HistoryInstance>;
    this.#ended.push(before);
    before.end();
    await before.instance.end();
    this.instances[place] = this.#build(place);
  }

  /**
   * The way of all instances leads to another server from now on.
   *
   * @param first the place of the instance that reaches it before the others do
   * @param late milliseconds by which answers to that one are late
   */
  async redirect(port: number, { first, late }: { first: number; late: number }): Promise<void> {
    await Promise.all(this.proxies.map((proxy) => proxy.close()));
    this.proxies.splice(0, Infinity, ...this.proxies.map((proxy) => new FaultProxy(proxy.port, port)));
    const ahead = this.proxies[first] as FaultProxy;
    await ahead.pass();
    ahead.delay(late);
    await delay(AHEAD_MS);
    await Promise.all(this.proxies.filter((proxy) => proxy !== ahead).map((proxy) => proxy.pass()));
  }

  /** Resolves when each instance serves each view from what is stored. */
  waitForHits(): Promise<void> {
    return waitForHits(this.instances);
  }

  async close(): Promise<void> {
    await Promise.all(this.instances.map(({ instance }) => instance.end()));
    await Promise.all(this.proxies.map((proxy) => proxy.close()));
  }

  #build(place: number): JudgedInstance<HistoryInstance> {
    const { coherence, waitForReplicas = 0, credentials, defect, seed } = this.options;
    const proxy = this.proxies[place] as FaultProxy;
    const url = new URL(proxy.url);
    if (credentials !== undefined) [url.username = '', url.password = ''] = credentials.split(':');
    const times = fc.sample(work, { numRuns: STEPS, seed: seed + place });
    let worked = 0;
    const tier = new ObservedTier(redis({ url: url.href, waitForReplicas }), this.world, systemClock);
    this.tiers[place] = tier;
    const instance = new HistoryInstance({
      tier,
      clock: systemClock,
      coherence,
      ...TIMES,
      coalesceTimeout: 2_000,
      life: 60_000,
      query: (parts) => this.world.read(parts),
      pause: async () => {
        await delay(times[worked++ % STEPS]);
      },
      defect,
    });
    return new JudgedInstance(`instance ${place}`, this.world, instance);
  }
}
