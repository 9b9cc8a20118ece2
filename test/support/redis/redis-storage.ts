import { createClient, createCluster } from '@redis/client';
import { RedisNames } from '../../../libs/caching/src/stores/redis/redis-names.js';
import type { StoredBytes } from '../../../libs/caching/src/testing.js';

/** RESP's type `$`, a string, by its number. */
const AS_BYTES = { typeMapping: { 36: Buffer } };

/** A connection of a test's own beside the stores under test, and the names of what they keep. */
export class RedisStorage {
  private constructor(
    /** What it goes by. */
    readonly client: object,
    /** Sends a command to the server that holds `key`. */
    readonly command: (key: string, ...args: (string | Buffer)[]) => Promise<unknown>,
    readonly close: () => void,
  ) {}

  static async ofServer(url: string): Promise<RedisStorage> {
    const client = createClient({ url });
    client.on('error', () => undefined);
    await client.connect();
    return new RedisStorage(
      client,
      (_key, ...args) => client.sendCommand(args, AS_BYTES),
      () => client.destroy(),
    );
  }

  static async ofCluster(urls: readonly string[]): Promise<RedisStorage> {
    const client = createCluster({ rootNodes: urls.map((url) => ({ url })) });
    client.on('error', () => undefined);
    await client.connect();
    return new RedisStorage(
      client,
      (key, ...args) => client.sendCommand(key, false, args, AS_BYTES),
      () => client.destroy(),
    );
  }

  bytes(namespace: string): StoredBytes {
    const names = new RedisNames(namespace);
    return {
      read: async (key) => {
        const name = names.view(key);
        const found = await this.command(name, 'GET', name);
        return Buffer.isBuffer(found) ? found : undefined;
      },
      write: async (key, bytes) => {
        const name = names.view(key);
        await this.command(name, 'SET', name, bytes);
      },
    };
  }

  /** Both keys of the state, as an eviction policy may take them or FLUSHALL does. */
  async loseSequence(namespace: string): Promise<void> {
    const { stamps, position } = new RedisNames(namespace);
    await this.command(stamps, 'DEL', stamps, position);
  }

  /** What a key holds, to put it back with `restore`. */
  async dump(name: string): Promise<Buffer | undefined> {
    const found = await this.command(name, 'DUMP', name);
    return Buffer.isBuffer(found) ? found : undefined;
  }

  async restore(name: string, dump: Buffer): Promise<void> {
    await this.command(name, 'RESTORE', name, '0', dump, 'REPLACE');
  }
}
