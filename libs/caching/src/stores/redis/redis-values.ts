import type { ValueStorage } from '../shared-tier.js';
import type { RedisLink } from './redis-link.js';

/** How a kind of values is called. */
export interface ValueNames {
  readonly one: (key: string) => string;
  /** A glob for all of them. */
  readonly all: string;
}

/** Plain values in Redis: text under a readable key. */
export class RedisValues implements ValueStorage {
  constructor(
    protected readonly link: RedisLink,
    protected readonly names: ValueNames,
  ) {}

  async get(key: string): Promise<string | undefined> {
    const name = this.names.one(key);
    const reply = await this.link.send(name, ['GET', name]);
    return reply === null ? undefined : String(reply);
  }

  async set(key: string, value: string, life: number): Promise<void> {
    const name = this.names.one(key);
    await this.link.send(name, ['SET', name, value, 'PX', String(Math.ceil(life))]);
  }

  async delete(key: string): Promise<boolean> {
    const name = this.names.one(key);
    return Number(await this.link.send(name, ['UNLINK', name])) > 0;
  }

  async has(key: string): Promise<boolean> {
    const name = this.names.one(key);
    return Number(await this.link.send(name, ['EXISTS', name])) > 0;
  }

  async clear(): Promise<void> {
    for await (const names of this.link.scan(this.names.all)) {
      // One by one, as those of a Cluster lie in many slots; in one turn they travel together.
      await Promise.all(names.map((name) => this.link.send(name, ['UNLINK', name])));
    }
  }
}
