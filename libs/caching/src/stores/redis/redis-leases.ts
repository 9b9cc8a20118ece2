import type { Lease } from '../shared-tier.js';
import type { RedisLink } from './redis-link.js';
import type { RedisNames } from './redis-names.js';
import { RedisScript } from './redis-script.js';
import { RELEASE_SCRIPT } from './redis-scripts.js';

/** What a lease says whose holder found that the response can't be shared. */
const UNCACHEABLE = '-';

/** Who fills which key, in Redis. */
export class RedisLeases {
  readonly #release = new RedisScript(RELEASE_SCRIPT);

  constructor(
    private readonly link: RedisLink,
    private readonly names: RedisNames,
  ) {}

  async take(key: string, token: string, life: number): Promise<Lease> {
    const lease = this.names.lease(key);
    // Redis 7 could answer both in one command; older ones refuse NX beside GET.
    const [taken, holder] = await Promise.all([
      this.link.send(lease, ['SET', lease, token, 'NX', 'PX', String(life)]),
      this.link.send(lease, ['GET', lease]),
    ]);
    if (taken !== null) return 'ours';
    return holder !== null && String(holder) === UNCACHEABLE ? 'uncacheable' : 'theirs';
  }

  async renew(key: string, token: string, life: number): Promise<void> {
    await this.#release.run(this.link, [this.names.lease(key)], [token, token, String(Math.ceil(life))]);
  }

  async giveBack(key: string, token: string, uncacheableFor?: number): Promise<void> {
    const word = uncacheableFor === undefined ? '' : UNCACHEABLE;
    await this.#release.run(this.link, [this.names.lease(key)], [token, word, String(uncacheableFor ?? 0)]);
  }
}
