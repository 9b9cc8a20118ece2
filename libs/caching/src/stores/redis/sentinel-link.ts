import { MasterWatch } from './master-watch.js';
import type { SentinelClient } from './node-redis.js';
import type { RedisCommand, RedisLink, RedisLinkOptions, RedisReply } from './redis-link.js';
import { ServerLink } from './server-link.js';

/** The link to the server that the sentinels call master: a failover makes it connect to another one. */
export class SentinelLink implements RedisLink {
  readonly isCluster = false;
  readonly #watch: MasterWatch;
  readonly #server: ServerLink;

  constructor(given: SentinelClient, options: RedisLinkOptions) {
    this.#watch = new MasterWatch({
      given,
      clock: options.clock,
      onMaster: () => this.#server.replace(),
      onError: (error) => options.onError('connect', error),
    });
    this.#server = new ServerLink(() => this.#watch.client(), options);
  }

  open(): void {
    this.#watch.open();
    this.#server.open();
  }

  send(key: string, command: RedisCommand): Promise<RedisReply> {
    return this.#server.send(key, command);
  }

  sendPair(
    key: string,
    command: RedisCommand,
    follower: RedisCommand,
  ): Promise<readonly [RedisReply, RedisReply]> {
    return this.#server.sendPair(key, command, follower);
  }

  scan(pattern: string): AsyncIterable<readonly string[]> {
    return this.#server.scan(pattern);
  }

  subscribe(
    channel: string,
    onMessage: (message: string) => void,
    onHearing: (hears: boolean) => void,
  ): void {
    this.#server.subscribe(channel, onMessage, onHearing);
  }

  onReady(listener: () => void): void {
    this.#server.onReady(listener);
  }

  async close(): Promise<void> {
    await Promise.all([this.#watch.close(), this.#server.close()]);
  }
}
