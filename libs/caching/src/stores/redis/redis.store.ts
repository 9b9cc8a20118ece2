import { randomUUID } from 'node:crypto';
import type { StampDelta } from '../../cache/shared-log.js';
import type { StampPosition } from '../../cache/stamps.js';
import { CachingConfigError } from '../../caching.errors.js';
import { checkNames } from '../../check-names.js';
import type { Lease, SharedLookup, SharedTier, SharedTierHost } from '../shared-tier.js';
import { createRedisLink, type RedisConnection } from './create-redis-link.js';
import type { RedisLink, RedisReply } from './redis-link.js';
import { RedisNames } from './redis-names.js';
import { RedisScript } from './redis-script.js';
import { EVICT_SCRIPT, RELEASE_SCRIPT, SYNC_SCRIPT } from './redis-scripts.js';
import { RedisValues } from './redis-values.js';

/** How Redis is reached, and what an acknowledged eviction may rely on. */
export type RedisStoreOptions = RedisConnection & {
  /**
   * How many replicas must have received an eviction before it counts as acknowledged (`WAIT`). Default 0: then a
   * failover may lose the last evictions that its primary acknowledged, as it may lose any write.
   */
  readonly waitForReplicas?: number;
};

/** Stamps that are kept in Redis, about 100 bytes each. */
const MAX_STAMPS = 100_000;

/** Stamps that are read at once: an instance that missed more drops what it has. */
const MAX_MISSED = 10_000;

/** A longer list of tags is not sent to all instances: those that need it ask. Characters. */
const MAX_MESSAGE = 32_768;

/** A stamp is kept for longer than an entry lives, as an entry's life begins when its handler has ended. */
const LONGEST_FILL = 10 * 60_000;

/** What a lease says whose holder found that the response can't be shared. */
const UNCACHEABLE = '-';

interface OpenRedis {
  readonly link: RedisLink;
  readonly names: RedisNames;
  readonly values: RedisValues;
  readonly timeout: number;
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
  readonly #sync = new RedisScript(SYNC_SCRIPT);
  readonly #evict = new RedisScript(EVICT_SCRIPT);
  readonly #release = new RedisScript(RELEASE_SCRIPT);
  #opened: OpenRedis | undefined;
  #longestLife = 0;

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
    const { namespace, clock, timeout, longestLife } = host;
    const names = new RedisNames(namespace);
    const link = createRedisLink(this.#connection, {
      clock,
      timeout,
      onError: (operation, error) => host.onError(operation, error),
    });
    this.#longestLife = longestLife;
    this.#opened = { link, names, values: new RedisValues(link, names), timeout };
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

  async lookup(key: string): Promise<SharedLookup> {
    const { link, names } = this.#open;
    const view = names.view(key);
    if (!link.isCluster) {
      const [position, frame] = asList(await link.send(view, ['MGET', names.position, view]));
      return { position: parsePosition(position), frame: asBytes(frame) };
    }
    // The order does not matter: an entry that is ahead of the position is checked against the next one.
    const [position, frame] = await Promise.all([
      textOrNothing(link.send(names.position, ['GET', names.position])),
      textOrNothing(link.send(view, ['GET', view])),
    ]);
    return { position: parsePosition(position), frame: asBytes(frame) };
  }

  async position(): Promise<StampPosition | undefined> {
    const { link, names } = this.#open;
    return parsePosition(await textOrNothing(link.send(names.position, ['GET', names.position])));
  }

  async sync(known: StampPosition | undefined): Promise<StampDelta> {
    const { link, names } = this.#open;
    const [reply] = await this.#sync.run(
      link,
      [names.stamps, names.position],
      [randomUUID(), this.#life, known?.epoch ?? '', String(known?.n ?? 0), String(MAX_MISSED)],
    );
    const answer = asList(reply).map(String);
    const [epoch = '', n, floor] = answer.splice(-3).toReversed();
    const stamps: [string, number][] = [];
    // Redis answers with the newest first.
    for (let i = answer.length - 2; i >= 0; i -= 2)
      stamps.push([tagOf(answer[i] as string), Number(answer[i + 1])]);
    return { position: { epoch, n: Number(n) }, floor: Number(floor), stamps };
  }

  async set(key: string, frame: Buffer, life: number): Promise<void> {
    const { link, names } = this.#open;
    this.#longestLife = Math.max(this.#longestLife, life);
    const view = names.view(key);
    await link.send(view, ['SET', view, frame, 'PX', String(Math.ceil(life))]);
  }

  async delete(key: string): Promise<void> {
    const { link, names } = this.#open;
    const view = names.view(key);
    await link.send(view, ['UNLINK', view]);
  }

  async evict(tags: readonly string[], known?: StampPosition): Promise<StampPosition> {
    const { link, names, timeout } = this.#open;
    const message = JSON.stringify(tags);
    const replicas = this.#waitForReplicas;
    const [reply, reached] = await this.#evict.run(
      link,
      [names.stamps, names.position],
      [
        randomUUID(),
        this.#life,
        known?.epoch ?? '',
        String(known?.n ?? 0),
        String(MAX_STAMPS),
        names.channel,
        message.length <= MAX_MESSAGE ? message : '',
        ...tags.map(memberOf),
      ],
      replicas === 0 ? undefined : ['WAIT', String(replicas), String(Math.ceil(timeout / 2))],
    );
    if (replicas > 0 && Number(reached) < replicas)
      throw new Error(`${String(reached)} of ${replicas} replicas have received the eviction`);
    const [epoch, n] = asList(reply);
    return { epoch: String(epoch), n: Number(n) };
  }

  async lease(key: string, token: string, life: number): Promise<Lease> {
    const { link, names } = this.#open;
    const lease = names.lease(key);
    // Redis 7 could answer both in one command; older ones refuse NX beside GET.
    const [taken, holder] = await Promise.all([
      link.send(lease, ['SET', lease, token, 'NX', 'PX', String(life)]),
      link.send(lease, ['GET', lease]),
    ]);
    if (taken !== null) return 'ours';
    return holder !== null && String(holder) === UNCACHEABLE ? 'uncacheable' : 'theirs';
  }

  async release(key: string, token: string, uncacheableFor?: number): Promise<void> {
    const { link, names } = this.#open;
    const word = uncacheableFor === undefined ? '' : UNCACHEABLE;
    await this.#release.run(link, [names.lease(key)], [token, word, String(uncacheableFor ?? 0)]);
  }

  async close(): Promise<void> {
    await this.#opened?.link.close();
  }

  get #open(): OpenRedis {
    if (this.#opened === undefined) throw new Error('not opened yet');
    return this.#opened;
  }

  get #life(): string {
    return String(Math.ceil(this.#longestLife + LONGEST_FILL));
  }
}

/**
 * Views in Redis, with a tier in process in front: any number of instances share what they store and evict.
 *
 * @param options `{ url }` (`redis://user:password@host:6379/0`, `rediss://…`), or `{ client }`: a client, cluster or
 *   sentinel of node-redis 4, 5 or 6, or a store of cache-manager-redis-yet. Of a given client the options are taken, in
 *   connections of our own; it may stay unconnected (but a sentinel of version 5, which can't be duplicated and is read
 *   for where the primary is), and closing it stays with whoever made it.
 * @throws CachingConfigError for options that can't work
 * @example
 * CachingModule.forRoot({ store: redis({ url: 'redis://localhost:6379' }) })
 */
export function redis(options: RedisStoreOptions): RedisTier {
  if (typeof options !== 'object' || options === null)
    throw new CachingConfigError('options', options, '{ url } or { client }', 'redis()');
  checkNames(options, { url: true, client: true, waitForReplicas: true }, 'redis()');
  return new RedisTier(options);
}

function asList(reply: RedisReply | undefined): readonly RedisReply[] {
  if (Array.isArray(reply)) return reply as readonly RedisReply[];
  throw new Error('Redis answered with something else than a list');
}

/** What is of another type was put there by somebody else: as if there was nothing. `MGET` sees it like that. */
async function textOrNothing(reply: Promise<RedisReply>): Promise<RedisReply> {
  try {
    return await reply;
  } catch (error) {
    const { cause } = error as { cause?: unknown };
    if (cause instanceof Error && cause.message.startsWith('WRONGTYPE')) return null;
    throw error;
  }
}

/** Half of a surrogate pair has no bytes in UTF-8: such a tag is written in JSON, which has escapes. */
function memberOf(tag: string): string {
  return /\p{Surrogate}/u.test(tag) ? `J${JSON.stringify(tag)}` : `T${tag}`;
}

function tagOf(member: string): string {
  const written = member.slice(1);
  if (!member.startsWith('J')) return written;
  try {
    return String(JSON.parse(written));
  } catch (error) {
    // Put there by somebody else: nothing of ours.
    if (error instanceof SyntaxError) return written;
    throw error;
  }
}

function asBytes(reply: RedisReply | undefined): Buffer | undefined {
  return Buffer.isBuffer(reply) ? reply : undefined;
}

/** `epoch:n`; whatever else stands there is nobody's position. */
function parsePosition(reply: RedisReply | undefined): StampPosition | undefined {
  const [, epoch, n] = /^([\w-]{1,64}):(\d{1,15})$/.exec(String(reply)) ?? [];
  return epoch === undefined ? undefined : { epoch, n: Number(n) };
}

/** `epoch n tags`, as the script publishes it. Anybody can publish: what can't be read is as if it was missed. */
function parseMessage(
  message: string,
): { position: StampPosition; tags: readonly string[] | undefined } | undefined {
  const [, epoch, n, list = ''] = /^([\w-]{1,64}) (\d{1,15}) (.*)$/s.exec(message) ?? [];
  if (epoch === undefined) return undefined;
  const position = { epoch, n: Number(n) };
  try {
    const tags: unknown = list === '' ? undefined : JSON.parse(list);
    const isList = Array.isArray(tags) && tags.every((tag) => typeof tag === 'string');
    return { position, tags: isList ? tags : undefined };
  } catch (error) {
    if (error instanceof SyntaxError) return { position, tags: undefined };
    throw error;
  }
}
