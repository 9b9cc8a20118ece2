import { NodeLink } from './node-link.js';
import type { Dial } from './node-connection.js';
import type { RedisCommand, RedisLink, RedisLinkOptions, RedisReply } from './redis-link.js';
import { scanNode } from './scan-node.js';
import { Subscription } from './subscription.js';

/** The link to one server, or to one address behind which the primary is. */
export class ServerLink implements RedisLink {
  readonly isCluster = false;
  readonly #node: NodeLink;
  readonly #subscriptions: Subscription[] = [];
  readonly #listeners: (() => void)[] = [];

  constructor(
    private readonly dial: Dial,
    private readonly options: RedisLinkOptions,
  ) {
    this.#node = new NodeLink({
      ...options,
      dial,
      onReady: () => {
        for (const listener of this.#listeners) listener();
      },
      onTrouble: () => undefined,
      onErrorReply: () => undefined,
    });
  }

  open(): void {
    this.#node.open();
  }

  send(_key: string, command: RedisCommand): Promise<RedisReply> {
    return this.#node.send(command);
  }

  sendPair(
    _key: string,
    command: RedisCommand,
    follower: RedisCommand,
  ): Promise<readonly [RedisReply, RedisReply]> {
    return this.#node.sendPair(command, follower);
  }

  scan(pattern: string): AsyncIterable<readonly string[]> {
    return scanNode(this.#node, pattern);
  }

  subscribe(
    channel: string,
    onMessage: (message: string) => void,
    onHearing: (hears: boolean) => void,
  ): void {
    const { clock, onError } = this.options;
    const subscription = new Subscription({
      clock,
      dial: this.dial,
      channel,
      onMessage,
      onHearing,
      onError,
    });
    this.#subscriptions.push(subscription);
    subscription.open();
  }

  onReady(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Connects afresh: the primary is another server now. */
  replace(): void {
    this.#node.replace();
    for (const subscription of this.#subscriptions) subscription.replace();
  }

  async close(): Promise<void> {
    await Promise.all([this.#node, ...this.#subscriptions].map((each) => each.close()));
  }
}
