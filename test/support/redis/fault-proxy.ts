import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import type { Fault } from './fault.js';
import { freePort } from './free-port.js';
import { ProxiedConnection } from './proxied-connection.js';

const LISTEN_TRIES = 5;

/**
 * Starts a proxy on 127.0.0.1 in front of a Redis, by which a test breaks the connection in a chosen way.
 *
 * @param target what it forwards to
 * @example
 * const proxy = await startFaultProxy(redis);
 * const client = createClient({ url: proxy.url });
 * proxy.delay(800);
 * proxy.pass();
 */
export async function startFaultProxy(target: { readonly port: number }): Promise<FaultProxy> {
  let cause: unknown;
  // Between the look for a free port and its use, another process may take it.
  for (let tries = 0; tries < LISTEN_TRIES; tries++) {
    const proxy = new FaultProxy(await freePort(), target.port);
    try {
      await proxy.pass();
      return proxy;
    } catch (error) {
      cause = error;
    }
  }
  throw cause;
}

/** A TCP proxy with one fault at a time, for connections that are open and for new ones; each fault replaces the last. */
export class FaultProxy {
  readonly url: string;
  readonly #connections = new Set<ProxiedConnection>();
  #server: Server | undefined;
  #fault: Fault = { kind: 'none' };

  constructor(
    readonly port: number,
    readonly targetPort: number,
  ) {
    this.url = `redis://127.0.0.1:${port}`;
  }

  /** How many connections are open now. */
  get connections(): number {
    return this.#connections.size;
  }

  /** The end of a fault: everything is forwarded again, what was held first. Resolves when it listens. */
  async pass(): Promise<void> {
    this.#set({ kind: 'none' });
    await this.#listen();
  }

  /** Connections open and bytes are taken, as far as the kernel's buffers go; nothing is forwarded, either way. */
  hold(): void {
    this.#set({ kind: 'hold' });
  }

  /** Each reply comes this much later, in milliseconds; replies that are on their way at the same time don't add up. */
  delay(ms: number): void {
    this.#set({ kind: 'delay', ms });
  }

  /** A connection is reset when this many bytes of a longer reply were forwarded; shorter replies pass. */
  cut(afterBytes: number): void {
    this.#set({ kind: 'cut', afterBytes });
  }

  /** Each command is answered with bytes that are not of Redis' protocol, and not forwarded. */
  garbage(): void {
    this.#set({ kind: 'garbage' });
  }

  /**
   * Commands of these names are answered with an error, and not carried out; the others are forwarded.
   *
   * @param names in capitals, or `all`
   * @param error without the leading `-`, as in `LOADING Redis is loading the dataset in memory`
   */
  answer(names: readonly string[] | 'all', error: string): void {
    this.#set({ kind: 'answer', names, error });
  }

  /** Resets the connections that are open and refuses new ones. Resolves when nothing listens. */
  async refuse(): Promise<void> {
    this.#set({ kind: 'none' });
    const server = this.#server;
    this.#server = undefined;
    this.resetAll();
    if (server === undefined) return;
    server.close();
    await once(server, 'close');
  }

  /** Resets the connections that are open, once; new ones are accepted. */
  resetAll(): void {
    for (const connection of this.#connections) connection.reset();
  }

  /** Ends it with all its connections. */
  async close(): Promise<void> {
    await this.refuse();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #set(fault: Fault): void {
    this.#fault = fault;
    for (const connection of this.#connections) connection.fault = fault;
  }

  async #listen(): Promise<void> {
    if (this.#server !== undefined) return;
    const server = createServer((client) => {
      const connection = new ProxiedConnection(client, this.targetPort, this.#fault);
      this.#connections.add(connection);
      client.once('close', () => this.#connections.delete(connection));
    });
    server.listen(this.port, '127.0.0.1');
    await once(server, 'listening');
    this.#server = server;
  }
}
