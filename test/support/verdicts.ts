import type { RunningApplication } from './application.js';
import type { RawRequestOptions } from './raw-http.js';

/** A target, or one with what goes with it. */
export type Asked = string | (RawRequestOptions & { readonly target: string });

/** The `X-Cache` values of these requests, made one after the other. */
export async function verdictsOf(
  running: RunningApplication,
  ...asked: readonly Asked[]
): Promise<(string | undefined)[]> {
  const verdicts: (string | undefined)[] = [];
  for (const each of asked) {
    const { target, ...options } = typeof each === 'string' ? { target: each } : each;
    verdicts.push((await running.request(target, options)).verdict);
  }
  return verdicts;
}

/** Warnings that are about this route. */
export function warningsAbout(running: RunningApplication, route: string): string[] {
  return running.logger.warnings.filter((warning) => warning.includes(route));
}
