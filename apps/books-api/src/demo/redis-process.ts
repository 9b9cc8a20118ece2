import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'redis';
import { findRedisServer } from '../../../../scripts/redis-server.mjs';
import { waitFor } from './wait-for.js';

/** Below the ports of outgoing connections: nobody takes the port while Redis is away. */
const PORTS = { from: 12_000, to: 32_000 };
const TRIES = 20;

/** A redis-server on loopback that is killed and started again. What it stored survives, in an append-only file. */
export class RedisProcess {
  #child: ChildProcess | undefined;

  private constructor(
    private readonly program: string,
    private readonly folder: string,
    readonly port: number,
  ) {}

  static async start(): Promise<RedisProcess> {
    const { server } = await findRedisServer();
    const folder = await mkdtemp(join(tmpdir(), 'books-api-redis-'));
    const redis = new RedisProcess(server, folder, await freePort());
    try {
      await redis.start();
      return redis;
    } catch (error) {
      await redis.stop();
      throw error;
    }
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** On the port and with the data that it had. Resolves when it answers. */
  async start(): Promise<void> {
    const { program, folder, port } = this;
    const where = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder];
    const child = spawn(program, [...where, '--save', '', '--appendonly', 'yes'], { stdio: 'ignore' });
    this.#child = child;
    let failure: unknown;
    child.once('error', (error) => (failure = error));
    await waitFor(`Redis answers on ${port}`, 5_000, async () => {
      if (failure !== undefined || child.exitCode !== null)
        throw new Error('Redis did not start', { cause: failure });
      return (await this.#answers()) || undefined;
    });
  }

  /** SIGKILL: no goodbye to anybody. Resolves when it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #answers(): Promise<boolean> {
    const client = createClient({ url: this.url, socket: { reconnectStrategy: false } });
    // What goes wrong rejects `connect()` too.
    client.on('error', () => undefined);
    try {
      await client.connect();
      return (await client.ping()) === 'PONG';
    } catch {
      return false;
    } finally {
      if (client.isOpen) await client.disconnect();
    }
  }
}

async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = randomInt(PORTS.from, PORTS.to);
    const server = createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch {
      continue;
    }
    server.close();
    await once(server, 'close');
    return port;
  }
  throw new Error(`None of ${TRIES} ports is free`);
}
