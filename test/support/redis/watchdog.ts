import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('watchdog.mjs', import.meta.url));

/**
 * Kills processes and removes their folders when this process ends, even by SIGKILL: a helper process in a session of
 * its own holds the reading end of a pipe, and the kernel closes the writing end. One helper serves all servers.
 */
class Watchdog {
  #helper: ChildProcessByStdio<Writable, null, null> | undefined;
  #failure: Error | undefined;

  /** @throws Error where the helper doesn't run: a server without it could outlive the test run */
  watch(pid: number, folder: string): void {
    this.#tell({ pid, folder });
  }

  /** The process has ended and its folder is no longer the helper's business. */
  forget(pid: number): void {
    this.#tell({ pid });
  }

  #tell(message: { pid: number; folder?: string }): void {
    this.#helper ??= this.#start();
    if (this.#failure !== undefined) throw this.#failure;
    this.#helper.stdin.write(`${JSON.stringify(message)}\n`);
  }

  #start(): ChildProcessByStdio<Writable, null, null> {
    const helper = spawn(process.execPath, [PROGRAM], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const fail = (cause?: unknown) => {
      this.#failure = new Error('the watchdog of the Redis servers ended', { cause });
    };
    helper.once('error', fail).once('exit', () => fail());
    helper.stdin.on('error', fail);
    // Neither keeps a finished test run alive.
    helper.unref();
    (helper.stdin as Socket).unref();
    return helper;
  }
}

export const watchdog = new Watchdog();
