import type { ItemStorage } from '../shared-tier.js';
import { RedisScript } from './redis-script.js';
import { COUNT_SCRIPT, SWAP_SCRIPT } from './redis-scripts.js';
import { RedisValues } from './redis-values.js';

/** Values of which some are counted and some are locks: what has to be one step is one here. */
export class RedisItems extends RedisValues implements ItemStorage {
  readonly #count = new RedisScript(COUNT_SCRIPT);
  readonly #swap = new RedisScript(SWAP_SCRIPT);

  async add(key: string, value: string, life: number, seen?: string): Promise<boolean> {
    const name = this.names.one(key);
    const time = String(Math.ceil(life));
    if (seen === undefined)
      return (await this.link.send(name, ['SET', name, value, 'PX', time, 'NX'])) !== null;
    return Number(await this.#swap.run(this.link, [name], [seen, value, time])) === 1;
  }

  async increment(key: string, by: number, life: number): Promise<number | undefined> {
    const reply = await this.#count.run(
      this.link,
      [this.names.one(key)],
      [String(by), String(Math.ceil(life))],
    );
    return reply === null ? undefined : Number(reply);
  }
}
