import { CLUSTER_CLIENTS, type OpenClient, SENTINEL_CLIENTS, SINGLE_CLIENTS } from '../redis/clients.js';

export type Major = 4 | 5 | 6;

/** A Redis to which something happens. */
export interface Stage {
  /** As of the clients that an application would make, one for each of two instances. */
  readonly open: (major: Major, instance: 'a' | 'b') => Promise<OpenClient>;
  /**
   * Begins the fault, which is to last for so many milliseconds.
   *
   * @throws Error where it could not be made to happen
   */
  readonly begin: (milliseconds: number) => Promise<void>;
  /** Ends the fault, or waits for its end; resolves at that moment. */
  readonly end: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** What may happen to a Redis. */
export interface Fault {
  readonly name: string;
  readonly topology: 'one server' | 'cluster' | 'sentinel';
  /** It has begun before the instances start. */
  readonly atStart?: boolean;
  /** Its end is not a test's to choose: `end` is called at once, and waits. */
  readonly endsByItself?: boolean;
  /** @param namespace of the instances' keys */
  readonly stage: (namespace: string) => Promise<Stage>;
}

/** The instance gets it as it is: `redisInsStore` connects without waiting, `redisStore` fails where Redis is away. */
export function singleClient(major: Major, url: string): Promise<OpenClient> {
  const kind = SINGLE_CLIENTS.find((each) => each.major === major && each.name !== 'redisStore');
  if (kind === undefined) throw new Error(`no client of major ${major}`);
  return kind.open(url);
}

export function clusterClient(major: Major, urls: readonly string[]): Promise<OpenClient> {
  const kind = CLUSTER_CLIENTS.find((each) => each.major === major && each.name !== 'redisClusterStore');
  if (kind === undefined) throw new Error(`no cluster client of major ${major}`);
  return kind.open({ urls });
}

export function sentinelClient(
  major: Major,
  target: { readonly name: string; readonly rootNodes: readonly { host: string; port: number }[] },
): Promise<OpenClient> {
  const kind = SENTINEL_CLIENTS.find((each) => each.major === major);
  if (kind === undefined) throw new Error(`no sentinel client of major ${major}`);
  return kind.open(target);
}
