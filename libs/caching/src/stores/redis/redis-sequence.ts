import { randomUUID } from 'node:crypto';
import type { StampDelta } from '../../cache/shared-log.js';
import type { StampPosition } from '../../cache/stamps.js';
import { UnconfirmedEvictionError } from '../../caching.errors.js';
import type { RedisCaveats } from './redis-caveats.js';
import type { RedisLink } from './redis-link.js';
import type { RedisNames } from './redis-names.js';
import { memberOf, readDelta, readEvicted } from './redis-replies.js';
import { RedisScript } from './redis-script.js';
import { EVICT_SCRIPT, SYNC_SCRIPT } from './redis-scripts.js';
import type { ReplicaWait } from './replica-wait.js';

/** Stamps that are kept in Redis, about 100 bytes each. */
const MAX_STAMPS = 100_000;

/** Stamps that are read at once: an instance that missed more drops what it has. */
const MAX_MISSED = 10_000;

/** A longer list of tags is not sent to all instances: those that need it ask. Characters. */
const MAX_MESSAGE = 32_768;

export interface RedisSequenceParts {
  readonly link: RedisLink;
  readonly names: RedisNames;
  /** For how long stamps are kept, in milliseconds. */
  readonly life: () => string;
  /** What else an eviction has to reach before it counts. */
  readonly replicas: ReplicaWait | undefined;
  readonly caveats: RedisCaveats;
}

/** A namespace's sequence of evictions in Redis. */
export class RedisSequence {
  readonly #sync = new RedisScript(SYNC_SCRIPT);
  readonly #evict = new RedisScript(EVICT_SCRIPT);

  constructor(private readonly parts: RedisSequenceParts) {}

  async sync(known: StampPosition | undefined): Promise<StampDelta> {
    const { link, names, life, caveats } = this.parts;
    const reply = await this.#sync.run(
      link,
      [names.stamps, names.position],
      [randomUUID(), life(), known?.epoch ?? '', String(known?.n ?? 0), String(MAX_MISSED)],
    );
    const { denied, ...delta } = readDelta(reply);
    caveats.note(denied);
    return delta;
  }

  async evict(tags: readonly string[], known?: StampPosition): Promise<StampPosition> {
    const { link, names, life, caveats } = this.parts;
    const message = JSON.stringify(tags);
    const reply = await this.#evict.run(
      link,
      [names.stamps, names.position],
      [
        randomUUID(),
        life(),
        known?.epoch ?? '',
        String(known?.n ?? 0),
        String(MAX_STAMPS),
        names.channel,
        message.length <= MAX_MESSAGE ? message : '',
        ...tags.map(memberOf),
      ],
    );
    const { denied, ...position } = readEvicted(reply);
    caveats.note(denied);
    await this.confirm(position);
    return position;
  }

  async confirm(position: StampPosition): Promise<void> {
    try {
      await this.parts.replicas?.wait(position);
    } catch (error) {
      throw new UnconfirmedEvictionError(position, error);
    }
  }
}
