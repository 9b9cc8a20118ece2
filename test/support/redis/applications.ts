import { CacheEvictionService, redis, type SharedTier } from 'nestjs-caching';
import {
  type ApplicationOptions,
  type Platform,
  type RunningApplication,
  startApplication,
} from '../application.js';
import { poll } from './poll.js';

export interface OnRedisOptions extends ApplicationOptions {
  /** False: resolves at once, as for an application that starts while Redis is away. Default true. */
  readonly connected?: boolean;
}

/**
 * An application on `redis({ url })`, in real time; resolves when Redis acknowledges evictions. It is patient with Redis
 * unless told otherwise, as a busy machine is no fault.
 */
export async function startOnRedis(
  platform: Platform,
  url: string,
  { caching = {}, connected = true, ...options }: OnRedisOptions,
): Promise<RunningApplication> {
  const running = await startApplication(platform, {
    ...options,
    realTime: true,
    caching: caching === false ? false : { store: redis({ url }), storeTimeout: '2s', ...caching },
  });
  if (connected) await acknowledges(running);
  running.events.length = 0;
  return running;
}

/** Resolves when an eviction is acknowledged; after a fault, in how many milliseconds. */
export async function acknowledges(
  { app }: Pick<RunningApplication, 'app'>,
  within = 5_000,
): Promise<number> {
  const begin = performance.now();
  const evictions = app.get(CacheEvictionService);
  await poll(
    'an acknowledged eviction',
    async () => (await evictions.byTag('of nothing')).acknowledged || undefined,
    within,
  );
  return performance.now() - begin;
}

/** Requests `target` until `verdict` is what came; in how many milliseconds. */
export async function verdictComes(
  running: RunningApplication,
  target: string,
  verdict: string,
  within = 5_000,
): Promise<number> {
  const begin = performance.now();
  const ask = async () => (await running.request(target)).verdict === verdict || undefined;
  await poll(`${verdict} of ${target}`, ask, within);
  return performance.now() - begin;
}

export function countOf(running: RunningApplication, type: string): number {
  return running.events.filter((event) => event.type === type).length;
}

/** Requests `target`, and waits until a response that was not there is in Redis, which is after the reply. */
export async function store(running: RunningApplication, target: string): Promise<void> {
  const before = countOf(running, 'stored');
  if ((await running.request(target)).verdict === 'HIT') return;
  await poll(`${target} is stored`, async () => countOf(running, 'stored') > before || undefined);
}

/** The tier, but every message of an eviction elsewhere is lost. */
export function deaf<Tier extends SharedTier>(tier: Tier): Tier {
  const open = tier.open.bind(tier);
  tier.open = (host) => open({ ...host, onEviction: () => undefined });
  return tier;
}
