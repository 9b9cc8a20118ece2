import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
const MAX_LINES = 1_000;

export interface RunningApp {
  readonly url: string;
  /** How many lines of its log contain `text`, of the last 1,000. */
  logged(text: string): number;
  stop(): Promise<void>;
}

/** The built application in a process of its own, on a free loopback port. */
export async function startApp(environment: Record<string, string> = {}): Promise<RunningApp> {
  const child = fork(MAIN, [], {
    // What is measured is the cache, without whoever watches it.
    env: { DASHBOARD: 'off', ...process.env, ...environment, HOST: '127.0.0.1', PORT: '0' },
    // What Nest says at start is not part of the table; what goes wrong is.
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const lines: string[] = [];
  if (child.stdout) {
    createInterface(child.stdout).on('line', (line) => {
      lines.push(line);
      if (lines.length > MAX_LINES) lines.shift();
    });
  }
  return {
    url: await urlOf(child),
    logged: (text) => lines.filter((line) => line.includes(text)).length,
    stop: () => stop(child),
  };
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
