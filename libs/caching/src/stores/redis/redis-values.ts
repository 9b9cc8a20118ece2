import type { ValueStorage } from '../shared-tier.js';
import type { RedisLink } from './redis-link.js';
import type { RedisNames } from './redis-names.js';

/** Plain values in Redis: text under a readable key. */
export class RedisValues implements ValueStorage {
  constructor(
    private readonly link: RedisLink,
    private readonly names: RedisNames,
  ) {}

  async get(key: string): Promise<string | undefined> {
    const name = this.names.value(key);
    const reply = await this.link.send(name, ['GET', name]);
    return reply === null ? undefined : String(reply);
  }

  async set(key: string, value: string, life: number): Promise<void> {
    const name = this.names.value(key);
    await this.link.send(name, ['SET', name, value, 'PX', String(Math.ceil(life))]);
  }

  async delete(key: string): Promise<boolean> {
    const name = this.names.value(key);
    return Number(await this.link.send(name, ['UNLINK', name])) > 0;
  }

  async has(key: string): Promise<boolean> {
    const name = this.names.value(key);
    return Number(await this.link.send(name, ['EXISTS', name])) > 0;
  }

  async clear(): Promise<void> {
    for await (const names of this.link.scan(this.names.values)) {
      // One by one, as those of a Cluster lie in many slots; in one turn they travel together.
      await Promise.all(names.map((name) => this.link.send(name, ['UNLINK', name])));
    }
  }
}
