import { execFileSync } from 'node:child_process';

/** The number of a core. */
export type Core = number;

export interface Pins {
  readonly server: Core;
  readonly load: Core;
}

/** One core for the servers and another for the load, where the system has `taskset` and lets us have two. */
export function findPins(): Pins | undefined {
  try {
    const allowed = parseCores(run('-cp', String(process.pid)));
    const [server, load] = [allowed.at(0), allowed.at(-1)];
    if (server === undefined || load === undefined || server === load) return undefined;
    return { server, load };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Moves all threads of a process to one core. */
export function pin(pid: number, core: Core): void {
  run('-acp', String(core), String(pid));
}

function run(...parameters: string[]): string {
  return execFileSync('taskset', parameters, { encoding: 'utf8', timeout: 5_000 });
}

/** `pid 1's current affinity list: 0,2-5` */
function parseCores(text: string): Core[] {
  const list = text.slice(text.lastIndexOf(':') + 1).trim();
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_none, at) => first + at);
  });
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
