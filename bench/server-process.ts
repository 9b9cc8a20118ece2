import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Question, Started, Usage } from './messages.js';
import type { Core } from './pinning.js';
import { pin } from './pinning.js';
import type { Platform, Row } from './rows.js';

const PATIENCE = 20_000;

export interface ServerOptions {
  readonly row: Row;
  readonly platform: Platform;
  /** Module specifier of the library. */
  readonly library: string;
  /** Where Redis is, for rows that need it. */
  readonly redis: string | undefined;
  readonly core: Core | undefined;
  /** Where to leave a CPU profile. */
  readonly profile: string | undefined;
}

/** A row's server, running in a process of its own. */
export class ServerProcess {
  private constructor(
    private readonly child: ChildProcess,
    readonly port: number,
  ) {}

  static async start(options: ServerOptions): Promise<ServerProcess> {
    const { row, platform, library, redis, core, profile } = options;
    const file = fileURLToPath(new URL('./server.js', import.meta.url));
    const child = fork(file, [row.server, platform, library, ...(redis === undefined ? [] : [redis])], {
      env: { ...process.env, NODE_ENV: 'production' },
      execArgv: profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`],
    });
    try {
      if (core !== undefined && child.pid !== undefined) pin(child.pid, core);
      const { port } = await answer<Started>(child, `${row.name} on ${platform}`);
      return new ServerProcess(child, port);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
  }

  usage(): Promise<Usage> {
    const answered = answer<Usage>(this.child, 'its usage');
    this.child.send('usage' satisfies Question);
    return answered;
  }

  /** Whether the events of the cache are told to whom they are told to in this application, or to nobody. */
  async listen(on: boolean): Promise<void> {
    const answered = answer<Usage>(this.child, 'that it listens');
    this.child.send((on ? 'listen' : 'silence') satisfies Question);
    await answered;
  }

  async stop(): Promise<void> {
    const { child } = this;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    const kill = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
    if (child.connected) child.send('stop' satisfies Question);
    else child.kill();
    await ended;
    clearTimeout(kill);
  }
}

/** The next message of `child`; rejects when it ends or stays silent. */
function answer<T>(child: ChildProcess, of: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      child.off('message', onMessage).off('exit', onExit).off('error', onError);
    };
    const fail = (problem: string): void => {
      settle();
      reject(new Error(`Server process (${of}): ${problem}.`));
    };
    const onMessage = (message: unknown): void => {
      settle();
      resolve(message as T);
    };
    const onExit = (code: number | null): void => fail(`ended with ${String(code)}`);
    const onError = (error: Error): void => fail(error.message);
    const timer = setTimeout(() => fail(`no answer within ${PATIENCE} ms`), PATIENCE);
    child.once('message', onMessage).once('exit', onExit).once('error', onError);
  });
}
