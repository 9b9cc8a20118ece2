import type { Clock } from '../../cache/clock.js';

/** What Redis answers, strings as bytes. */
export type RedisReply = Buffer | string | number | null | readonly RedisReply[];

/** A command: its name and arguments. */
export type RedisCommand = readonly (string | Buffer)[];

export interface RedisLinkOptions {
  readonly clock: Clock;
  /** Milliseconds after which a command has failed. */
  readonly timeout: number;
  readonly onError: (operation: string, error: unknown) => void;
  /** Commands to a server fail at once from now on, or are sent again. */
  readonly onBreaker?: ((state: 'open' | 'closed') => void) | undefined;
}

/**
 * The way to Redis that may fail at any moment and says so within `timeout`: commands fail at once while nothing can
 * be expected of them, and a connection that went silent is replaced.
 */
export interface RedisLink {
  /** Keys of several slots can't be asked for in one command. */
  readonly isCluster: boolean;
  /** Begins to connect. Never waits, never throws. */
  open(): void;
  /**
   * Sends a command to the primary that holds `key`. Commands sent in one turn of the event loop travel together.
   *
   * @throws CacheStoreError within `timeout`, at once while the link is down; an error reply as its `cause`
   */
  send(key: string, command: RedisCommand): Promise<RedisReply>;
  /**
   * The same for two commands that reach the same node over the same connection, the second right after the first. Where
   * the first belongs to another node, both are sent there, and what the second came to here is not looked at.
   */
  sendPair(
    key: string,
    command: RedisCommand,
    follower: RedisCommand,
  ): Promise<readonly [RedisReply, RedisReply]>;
  /** Every key that matches the glob `pattern`, a part at a time, of all primaries. Bounded by SCAN's own guarantees. */
  scan(pattern: string): AsyncIterable<readonly string[]>;
  /**
   * Hears what is published on `channel` for as long as the link is open, over every reconnect. `onHearing` tells
   * each time that it begins or ceases to.
   */
  subscribe(channel: string, onMessage: (message: string) => void, onHearing: (hears: boolean) => void): void;
  /** Called after every (re)connect, when commands can be sent again. */
  onReady(listener: () => void): void;
  /** Ends every connection that it opened. Rejects nothing. */
  close(): Promise<void>;
}
