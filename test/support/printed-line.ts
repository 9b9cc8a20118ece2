import { runInThisContext } from 'node:vm';
import type { CacheViewOptions } from 'nestjs-caching';
import { custom, formBody, headers, host, jsonBody, path, query } from 'nestjs-caching';

const NAMES = { custom, formBody, headers, host, jsonBody, path, query };

/** The line that a warning says to add to a route's `@CacheView`. */
export function lineIn(warning: string | undefined): string {
  return /\. Add (.+) to its @CacheView, or @NoCache\(\)\.$/.exec(warning ?? '')?.[1] ?? '';
}

/** What an author gets who copies that line, exactly as it is printed, into `@CacheView({ … })`. */
export function optionsOf(line: string): CacheViewOptions {
  const code = `({ ${Object.keys(NAMES).join(', ')} }) => ({ ${line} })`;
  return (runInThisContext(code) as (names: typeof NAMES) => CacheViewOptions)(NAMES);
}
