import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import type { HistoryView, Instance, Seen } from './history-instance.js';
import type { Answer, ProcessOptions, Request } from './instance-protocol.js';
import type { HistoryWorld, Part } from './world.js';

const PROGRAM = fileURLToPath(new URL('instance-process.ts', import.meta.url));
/** Below node_modules, where what it imports is found. */
const CACHE = fileURLToPath(new URL('../../../node_modules/.cache', import.meta.url));

/** The program of an instance, in JavaScript, for as long as it is needed. */
export async function buildProgram(): Promise<{ path: string } & AsyncDisposable> {
  await mkdir(CACHE, { recursive: true });
  const outDir = await mkdtemp(join(CACHE, 'history-'));
  await build({
    configFile: false,
    logLevel: 'warn',
    build: { ssr: PROGRAM, outDir, target: 'node20' },
  });
  return {
    path: join(outDir, 'instance-process.js'),
    [Symbol.asyncDispose]: () => rm(outDir, { recursive: true, force: true }),
  };
}

/** An instance in a process of its own, which can be killed and stopped. */
export class ProcessInstance implements Instance {
  readonly evictsAtOnce = false;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (answer: never) => void; reject: (error: Error) => void }>();
  #asked = 0;

  constructor(
    program: string,
    options: ProcessOptions,
    private readonly world: HistoryWorld,
  ) {
    this.#child = spawn(process.execPath, [program, JSON.stringify(options)], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#child.on('message', (answer: Answer) => this.#take(answer));
    this.#child.once('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the process has ended'));
      this.#waiting.clear();
    });
    // The channel closes with the process: 'exit' tells.
    this.#child.on('error', () => undefined);
  }

  read(of: HistoryView): Promise<Seen> {
    return this.#ask((id) => ({ kind: 'read', id, of }));
  }

  evict(part: Part): Promise<boolean> {
    return this.#ask((id) => ({ kind: 'evict', id, part }));
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    // Not by `once` of node:events, which rejects where a request finds the channel closed a moment earlier.
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await gone;
  }

  /** SIGSTOP: the world goes on, and this process does not notice. */
  stop(): void {
    this.#child.kill('SIGSTOP');
  }

  resume(): void {
    this.#child.kill('SIGCONT');
  }

  #ask<T>(request: (id: number) => Request): Promise<T> {
    const id = ++this.#asked;
    return new Promise<T>((resolve, reject) => {
      if (!this.#child.connected) {
        reject(new Error('the process has ended'));
        return;
      }
      this.#waiting.set(id, { resolve, reject });
      this.#child.send(request(id));
    });
  }

  #take(answer: Answer): void {
    const { id } = answer;
    if (answer.kind === 'query') {
      if (!this.#child.connected) return;
      const data: Request = { kind: 'data', id, versions: this.world.read(answer.parts) };
      this.#child.send(data);
      return;
    }
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.resolve((answer.kind === 'seen' ? answer.seen : answer.acknowledged) as never);
  }
}
