import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('../model-service/server.js', import.meta.url));

/** The model service in a process of the demo's own, which can be ended and started again at the same address. */
export class ModelProcess {
  #child: ChildProcess | undefined;
  #port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<void> {
    const child = fork(PROGRAM, [], {
      env: { ...process.env, MODEL_PORT: String(this.#port) },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child = child;
    const [message] = (await once(child, 'message')) as [{ url: string }];
    this.#port = Number(new URL(message.url).port);
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill();
    await exit;
  }
}
