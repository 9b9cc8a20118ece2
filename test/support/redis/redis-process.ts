import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { poll } from './poll.js';
import { infoField, redisCommand, type Reply } from './redis-command.js';
import { watchdog } from './watchdog.js';

const START_TIMEOUT_MS = 10_000;
const LOG_LINES = 15;

/** How a server starts again. */
export interface RestartOptions {
  /**
   * Further arguments of redis-server, for this start and later ones. `--key-load-delay 500` (microseconds a key) with
   * `--loading-process-events-interval-bytes 1024` makes it answer `-LOADING` for a while, once there is a rewritten
   * append-only file.
   */
  readonly args?: readonly string[];
  /** `ready` (default): PING is answered. `listening`: it may still answer `-LOADING`. */
  readonly until?: 'ready' | 'listening';
}

/** One redis-server process and what survives it: its port, its folder, its arguments. `startRedis` makes it. */
export class RedisServer {
  /** As in `redis://127.0.0.1:14711`, with the password where there is one. */
  readonly url: string;
  #child: ChildProcess | undefined;
  #args: readonly string[];
  #stopped = false;

  constructor(
    readonly program: string,
    readonly folder: string,
    readonly port: number,
    args: readonly string[],
    requirepass?: string,
  ) {
    const credentials = requirepass === undefined ? '' : `:${encodeURIComponent(requirepass)}@`;
    this.url = `redis://${credentials}127.0.0.1:${port}`;
    this.#args = args;
  }

  /** Id of the process; it is another one after a restart. */
  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`no redis-server runs on ${this.port}`);
    return pid;
  }

  /** Whether it can answer: neither killed nor stopped. */
  get alive(): boolean {
    return this.#child !== undefined && !this.#stopped;
  }

  /** One command on a connection of its own; see `redisCommand`. */
  command(...args: string[]): Promise<Reply> {
    return redisCommand(this.url, args);
  }

  /** One field of its INFO, as in `info('replication', 'role')`. */
  async info(section: string, field: string): Promise<string | undefined> {
    return infoField(await this.command('INFO', section), field);
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  /** SIGSTOP: the kernel goes on to accept connections and bytes, and nothing is answered. */
  stop(): void {
    process.kill(this.pid, 'SIGSTOP');
    this.#stopped = true;
  }

  /** SIGCONT: what was sent meanwhile is answered now. */
  resume(): void {
    process.kill(this.pid, 'SIGCONT');
    this.#stopped = false;
  }

  /** Kills it where it runs, and starts it on the same port and folder. */
  async restart({ args = [], until = 'ready' }: RestartOptions = {}): Promise<void> {
    await this.kill();
    this.#args = [...this.#args, ...args];
    const child = this.#spawn();
    const what = `redis-server on ${this.port}`;
    const outcome = await poll(what, () => this.#outcome(child, until), START_TIMEOUT_MS).catch(
      (error: unknown) => error,
    );
    if (outcome !== 'answers') throw new Error(`${what} did not start:\n${this.log()}`, { cause: outcome });
  }

  /** The last lines of its log file; nothing where it has not written one. */
  log(): string {
    const path = join(this.folder, 'redis.log');
    return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(-LOG_LINES).join('\n') : '';
  }

  /** Ends it and removes its folder. */
  async close(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #spawn(): ChildProcess {
    const child = spawn(this.program, this.#args, { stdio: 'ignore', cwd: this.folder });
    const { pid } = child;
    // Without a pid it was not started; `#outcome` says so.
    child.once('error', () => undefined);
    if (pid === undefined) return child;
    this.#child = child;
    this.#stopped = false;
    child.once('exit', () => {
      this.#child = undefined;
      watchdog.forget(pid);
    });
    watchdog.watch(pid, this.folder);
    return child;
  }

  async #outcome(
    child: ChildProcess,
    until: 'ready' | 'listening',
  ): Promise<'answers' | 'ended' | undefined> {
    if (this.#child !== child) return 'ended';
    if (until === 'listening') return (await accepts(this.port)) ? 'answers' : undefined;
    await this.command('PING');
    // Another server may have taken the port first: this one is then about to end.
    return (await this.info('server', 'process_id')) === String(child.pid) ? 'answers' : undefined;
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
