import { freePort } from '../redis/free-port.js';
import { poll } from '../redis/poll.js';
import { type RedisServer, startRedis } from '../redis/redis-server.js';

const IN_STEP_MS = 15_000;

/** A primary and a replica that can be made to fall behind and then to take over. */
export class FailoverPair {
  private constructor(
    private primary: RedisServer,
    private replica: RedisServer,
    /** Where nobody listens. */
    private readonly nowhere: number,
    private readonly scripts: readonly string[],
  ) {}

  /**
   * @param args further arguments of both servers
   * @param scripts what the replica has seen before it takes over, as if it had been the primary some time
   */
  static async start(args: readonly string[], scripts: readonly string[]): Promise<FailoverPair> {
    const [primary, replica] = [await startRedis({ args }), await startRedis({ args })];
    const pair = new FailoverPair(primary, replica, await freePort(), scripts);
    await pair.#follow();
    return pair;
  }

  /** Port of the server that takes writes. */
  get port(): number {
    return this.primary.port;
  }

  /** From now on nothing that is written reaches the replica, which keeps what it has. */
  async interrupt(): Promise<void> {
    await this.replica.command('REPLICAOF', '127.0.0.1', String(this.nowhere));
  }

  /** The primary dies, and its replica takes over with what it has. */
  async failOver(): Promise<void> {
    await this.primary.kill();
    await this.replica.command('REPLICAOF', 'NO', 'ONE');
    [this.primary, this.replica] = [this.replica, this.primary];
  }

  /** The server that died comes back as a replica; resolves when it is in step. */
  async repair(): Promise<void> {
    await this.replica.restart();
    await this.#follow();
  }

  async close(): Promise<void> {
    await Promise.all([this.primary.close(), this.replica.close()]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #follow(): Promise<void> {
    await this.replica.command('REPLICAOF', '127.0.0.1', String(this.port));
    const isInStep = async () =>
      (await this.replica.info('replication', 'master_link_status')) === 'up' || undefined;
    await poll('the replica to be in step', isInStep, IN_STEP_MS);
    for (const script of this.scripts) await this.replica.command('SCRIPT', 'LOAD', script);
  }
}
