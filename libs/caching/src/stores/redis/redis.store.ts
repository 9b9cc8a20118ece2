import type { StampDelta } from '../../cache/shared-log.js';
import type { StampPosition } from '../../cache/stamps.js';
import { CachingConfigError, InWords } from '../../caching.errors.js';
import { checkNames } from '../../check-names.js';
import { kindOf } from '../kind-of.js';
import type { Lease, SharedLookup, SharedTier, SharedTierHost } from '../shared-tier.js';
import { createRedisLink, type RedisConnection } from './create-redis-link.js';
import { PositionReader } from './position-reader.js';
import type { RedisLink, RedisLinkOptions } from './redis-link.js';
import { RedisCaveats } from './redis-caveats.js';
import { RedisLeases } from './redis-leases.js';
import { RedisItems } from './redis-items.js';
import { RedisNames } from './redis-names.js';
import { asBytes, asList, parseMessage, textOrNothing } from './redis-replies.js';
import { RedisSequence } from './redis-sequence.js';
import { RedisValues } from './redis-values.js';
import { ReplicaWait } from './replica-wait.js';

/** How Redis is reached, and what an acknowledged eviction may rely on. */
export type RedisStoreOptions = RedisConnection & {
  /**
   * How many replicas must have received an eviction before it counts as acknowledged (`WAIT`). Default 0: then a
   * failover may lose the last evictions that its primary acknowledged, as it may lose any write.
   */
  readonly waitForReplicas?: number;
};

/** A stamp is kept for longer than an entry lives, as an entry's life begins when its handler has ended. */
const LONGEST_FILL = 10 * 60_000;

interface OpenRedis {
  readonly link: RedisLink;
  readonly names: RedisNames;
  readonly values: RedisValues;
  readonly items: RedisItems;
  readonly leases: RedisLeases;
  readonly sequence: RedisSequence;
  readonly replicas: ReplicaWait | undefined;
}

/**
 * Views and evictions in Redis: one server, a Cluster or behind Sentinel, for any number of instances.
 *
 * Made with `redis()`; one of them serves one application.
 */
export class RedisTier implements SharedTier {
  readonly name = 'redis';
  readonly #connection: RedisConnection;
  readonly #waitForReplicas: number;
  readonly #positions = new PositionReader();
  #opened: OpenRedis | undefined;

  constructor({ waitForReplicas = 0, ...connection }: RedisStoreOptions) {
    if (!Number.isSafeInteger(waitForReplicas) || waitForReplicas < 0)
      throw new CachingConfigError('waitForReplicas', waitForReplicas, 'a whole number', 'redis()');
    this.#connection = connection;
    this.#waitForReplicas = waitForReplicas;
  }

  open(host: SharedTierHost): void {
    if (this.#opened !== undefined)
      throw new CachingConfigError(
        'store',
        'a redis() that another application uses',
        'one redis() for each',
      );
    const { namespace, clock, timeout, digest } = host;
    const names = new RedisNames(namespace, digest);
    const options: RedisLinkOptions = {
      clock,
      timeout,
      onError: (operation, error) => host.onError(operation, error),
    };
    const link = createRedisLink(this.#connection, {
      ...options,
      onBreaker: (state) => host.onBreaker?.(state),
    });
    const life = (): string => String(Math.ceil(host.longestLife() + LONGEST_FILL));
    const replicas =
      this.#waitForReplicas === 0
        ? undefined
        : new ReplicaWait({
            link: createRedisLink(this.#connection, options),
            names,
            replicas: this.#waitForReplicas,
            // Two may be waited for: the one that is under way, and the next.
            patience: Math.ceil(timeout / 4),
            life,
          });
    const values = new RedisValues(link, { one: (key) => names.value(key), all: names.values });
    const items = new RedisItems(link, { one: (key) => names.item(key), all: names.items });
    const leases = new RedisLeases(link, names);
    const caveats = new RedisCaveats(names.channel, (caveat) => host.onCaveat(caveat));
    const sequence = new RedisSequence({ link, names, life, replicas, caveats });
    this.#opened = { link, names, values, items, leases, sequence, replicas };
    link.onReady(() => host.onReachable());
    link.open();
    link.subscribe(
      names.channel,
      (message) => {
        const heard = parseMessage(message);
        if (heard !== undefined) host.onEviction(heard.position, heard.tags);
      },
      (hears) => host.onHearing(hears),
    );
  }

  get values(): RedisValues {
    return this.#open.values;
  }

  get items(): RedisItems {
    return this.#open.items;
  }

  // Not async, as every hit comes this way: each promise more is felt.
  lookup(key: string): Promise<SharedLookup> {
    const { link, names } = this.#open;
    const view = names.view(key);
    if (link.isCluster) return this.#lookupInCluster(view);
    return link.send(view, ['MGET', names.position, view]).then((reply) => {
      const [position, frame] = asList(reply);
      return { position: this.#positions.read(position), frame: asBytes(frame) };
    });
  }

  /** The order does not matter: an entry that is ahead of the position is checked against the next one. */
  async #lookupInCluster(view: string): Promise<SharedLookup> {
    const { link, names } = this.#open;
    const [position, frame] = await Promise.all([
      textOrNothing(link.send(names.position, ['GET', names.position])),
      textOrNothing(link.send(view, ['GET', view])),
    ]);
    return { position: this.#positions.read(position), frame: asBytes(frame) };
  }

  async position(): Promise<StampPosition | undefined> {
    const { link, names } = this.#open;
    return this.#positions.read(await textOrNothing(link.send(names.position, ['GET', names.position])));
  }

  async sync(known: StampPosition | undefined): Promise<StampDelta> {
    return this.#open.sequence.sync(known);
  }

  async set(key: string, frame: Buffer, life: number): Promise<void> {
    const { link, names } = this.#open;
    const view = names.view(key);
    await link.send(view, ['SET', view, frame, 'PX', String(Math.ceil(life))]);
  }

  async evict(tags: readonly string[], known?: StampPosition): Promise<StampPosition> {
    return this.#open.sequence.evict(tags, known);
  }

  async confirm(position: StampPosition): Promise<void> {
    return this.#open.sequence.confirm(position);
  }

  lease(key: string, token: string, life: number): Promise<Lease> {
    return this.#open.leases.take(key, token, life);
  }

  renew(key: string, token: string, life: number): Promise<void> {
    return this.#open.leases.renew(key, token, life);
  }

  release(key: string, token: string, uncacheableFor?: number): Promise<void> {
    return this.#open.leases.giveBack(key, token, uncacheableFor);
  }

  async close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    await Promise.all([opened?.link.close(), opened?.replicas?.close()]);
  }

  get #open(): OpenRedis {
    if (this.#opened === undefined) throw new Error('the redis store is not open');
    return this.#opened;
  }
}

/**
 * Views in Redis, with a tier in process in front: any number of instances share what they store and evict.
 *
 * @param options `{ url }` (`redis://user:password@host:6379/0`, `rediss://…`, `redis+sentinel://…`,
 *   `redis+cluster://…`) with `clientOptions`, or `{ client }`: a client, cluster or
 *   sentinel of node-redis 4, 5 or 6, or a store of cache-manager-redis-yet. Of a given client the options are taken, in
 *   connections of our own; it may stay unconnected (but a sentinel of version 5, which can't be duplicated and is read
 *   for where the primary is), and closing it stays with whoever made it.
 * @throws CachingConfigError for options that can't work
 * @example
 * CachingModule.forRoot({ store: redis({ url: 'redis://localhost:6379' }) })
 */
export function redis(options: RedisStoreOptions): RedisTier {
  // A text there is likely a URL, with a password in it.
  if (typeof options !== 'object' || options === null)
    throw new CachingConfigError('options', new InWords(kindOf(options)), '{ url } or { client }', 'redis()');
  checkNames(
    options,
    { url: true, client: true, clientOptions: true, sentinelOptions: true, waitForReplicas: true },
    'redis()',
  );
  return new RedisTier(options);
}
