import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from '@redis/client';
import { type Core, pin } from './pinning.js';

/** Below the ports of outgoing connections. A server that finds its port taken ends, and another one is tried. */
const PORTS = { from: 12_000, to: 32_000 };
const TRIES = 5;

const PATIENCE = 10_000;

/** How often Redis executed the commands that read a value. */
export type Reads = Readonly<Record<ReadCommand, number>>;
export type ReadCommand = 'get' | 'mget';

/** A redis-server on a free port of 127.0.0.1, in memory only. */
export class RedisProcess {
  readonly #client: ReturnType<typeof createClient>;
  readonly #kill = (): void => void this.child.kill('SIGKILL');

  private constructor(
    private readonly child: ChildProcess,
    private readonly port: number,
  ) {
    this.#client = createClient({ url: this.url(0), socket: { reconnectStrategy: () => 50 } });
    // An attempt that fails is followed by another; who waits for it has a deadline.
    this.#client.on('error', () => undefined);
    process.once('exit', this.#kill);
  }

  /** @param core where to, away from the servers that are measured */
  static async start(core: Core | undefined): Promise<RedisProcess> {
    const program = await findProgram();
    for (let tries = 1; ; tries++) {
      const port = randomInt(PORTS.from, PORTS.to);
      const where = ['--port', String(port), '--bind', '127.0.0.1', '--dir', tmpdir()];
      const child = spawn(program, [...where, '--save', '', '--appendonly', 'no'], { stdio: 'ignore' });
      const redis = new RedisProcess(child, port);
      try {
        await redis.#ready();
        if (core !== undefined && child.pid !== undefined) pin(child.pid, core);
        return redis;
      } catch (error) {
        await redis.stop();
        if (tries === TRIES) throw error;
      }
    }
  }

  /** @param database from 0 to 15: each has keys of its own */
  url(database: number): string {
    return `redis://127.0.0.1:${this.port}/${database}`;
  }

  /** Since the server was started, by all clients. */
  async reads(): Promise<Reads> {
    const text = await this.#client.info('commandstats');
    const calls = (command: ReadCommand): number =>
      Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, 'm').exec(text)?.[1] ?? 0);
    return { get: calls('get'), mget: calls('mget') };
  }

  async stop(): Promise<void> {
    process.off('exit', this.#kill);
    if (this.#client.isOpen) this.#client.destroy();
    const { child } = this;
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    this.#kill();
    await ended;
  }

  async #ready(): Promise<void> {
    const waiting = new AbortController();
    const { signal } = waiting;
    try {
      await Promise.race([
        this.#client.connect().then(() => this.#checkOwner()),
        // Rejects where the program can't be run.
        once(this.child, 'exit', { signal }).then(() => {
          throw new Error('redis-server ended at once');
        }),
        delay(PATIENCE, undefined, { signal }).then(() => {
          throw new Error(`redis-server did not answer within ${PATIENCE} ms`);
        }),
      ]);
    } finally {
      waiting.abort();
    }
  }

  /** Another Redis that has the port answers before ours has ended. */
  async #checkOwner(): Promise<void> {
    const owner = /^process_id:(\d+)/m.exec(await this.#client.info('server'))?.[1];
    if (owner !== String(this.child.pid))
      throw new Error(`port ${this.port} belongs to another redis-server`);
  }
}

/** By its address, as the compiled file lies in another depth than its source. */
async function findProgram(): Promise<string> {
  const { findRedisServer } = (await import(
    new URL('../../scripts/redis-server.mjs', import.meta.url).href
  )) as typeof import('../scripts/redis-server.mjs');
  return (await findRedisServer()).server;
}
