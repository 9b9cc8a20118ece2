import type { Clock } from '../../cache/clock.js';
import { endClient, type ServerClient } from './node-redis.js';
import type { RedisCommand, RedisReply } from './redis-link.js';

/** Makes a client that is not connected yet. */
export type Dial = () => ServerClient | Promise<ServerClient>;

/** Connecting to a stopped server would wait for ever. */
const CONNECT_DEADLINE = 1_000;

/** node-redis 4 takes it with each command; the others have it from the client's options. */
const BUFFERS_IN_MAJOR_4 = { returnBuffers: true };

/**
 * One connection from its beginning to its end: it never reconnects, so a reply can't be completed with the bytes of
 * another connection, as node-redis 4 does.
 */
export class NodeConnection {
  readonly #client: ServerClient;
  readonly #options: object | undefined;
  #hasSocket = false;
  #isOver = false;
  #onLost: (error: unknown) => void = () => undefined;

  private constructor(client: ServerClient) {
    this.#client = client;
    this.#options = client.withTypeMapping === undefined ? BUFFERS_IN_MAJOR_4 : undefined;
    client.on('error', (error) => this.#lose(error));
    client.on('end', () => this.#lose(new Error('the connection was closed')));
    client.on('connect', () => {
      this.#hasSocket = true;
      // Not at once: node-redis 4 is about to greet the server, and would leave what it sends for that to nobody.
      if (this.#isOver) queueMicrotask(() => endClient(client));
    });
  }

  /**
   * Connects, and carries `prepare` out; the result has answered.
   *
   * @throws what stood in the way, within a second
   */
  static async open(
    clock: Clock,
    dial: Dial,
    prepare: (connection: NodeConnection) => Promise<unknown>,
    onAttempt: (connection: NodeConnection) => void = () => undefined,
  ): Promise<NodeConnection> {
    const connection = new NodeConnection(await dial());
    onAttempt(connection);
    try {
      await within(clock, CONNECT_DEADLINE, async (failed) => {
        connection.#onLost = failed;
        await connection.#client.connect();
        await prepare(connection);
      });
    } catch (error) {
      connection.end();
      throw error;
    }
    return connection;
  }

  /** Calls `listener` when the connection is lost. It is over then. */
  onLost(listener: (error: unknown) => void): void {
    this.#onLost = listener;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Strings of the reply are Buffers. */
  send(command: RedisCommand): Promise<RedisReply> {
    return this.#client.sendCommand(command, this.#options) as Promise<RedisReply>;
  }

  async subscribe(channel: string, listener: (message: string) => void): Promise<void> {
    await this.#client.subscribe(channel, listener);
  }

  /** Ends it; commands that wait are rejected. */
  end(): void {
    this.#isOver = true;
    // Without a socket node-redis forgets the one that is being opened: wait for it, its timeout bounds that.
    if (this.#hasSocket) endClient(this.#client);
  }

  #lose(error: unknown): void {
    if (this.#isOver) return;
    this.end();
    this.#onLost(error);
  }
}

function within(
  clock: Clock,
  deadline: number,
  task: (failed: (error: unknown) => void) => Promise<void>,
): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const cancel = clock.after(deadline, () => reject(new Error(`no connection within ${deadline} ms`)));
    const fail = (error: unknown): void => {
      cancel();
      reject(error instanceof Error ? error : new Error('the connection failed', { cause: error }));
    };
    task(fail).then(() => {
      cancel();
      resolve();
    }, fail);
  });
}
