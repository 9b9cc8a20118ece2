import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));

export interface RunningApp {
  readonly url: string;
  stop(): Promise<void>;
}

/** The built application in a process of its own, on a free loopback port. */
export async function startApp(environment: Record<string, string> = {}): Promise<RunningApp> {
  const child = fork(MAIN, [], {
    env: { ...process.env, ...environment, HOST: '127.0.0.1', PORT: '0' },
    // What Nest says at start is not part of the table; what goes wrong is.
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  return { url: await urlOf(child), stop: () => stop(child) };
}

function urlOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve((message as { url: string }).url));
    child.once('error', reject);
    child.once('exit', (code) =>
      reject(new Error(`The application ended with code ${code} before it listened`)),
    );
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.disconnect();
  await exit;
}
