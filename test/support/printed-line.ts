import { runInThisContext } from 'node:vm';
import ts from 'typescript';
import type { CacheViewOptions } from 'nestjs-caching';
import { custom, formBody, headers, host, jsonBody, path, query } from 'nestjs-caching';

const NAMES = { custom, formBody, headers, host, jsonBody, path, query };

/** What is printed where a user or a session decides whose responses are. */
export const USER_ID =
  "scope: ({ user }: RequestView<{ user?: { id: string } }>) => user?.id /* or 'public' */";
export const SESSION_ID = 'scope: ({ session }: RequestView<{ session?: { id: string } }>) => session?.id';

/** The line that a warning says to add to a route's `@CacheView`. */
export function lineIn(warning: string | undefined): string {
  return /(?:\. Add|, add) (.+) to its @CacheView, or @NoCache\(\)\.$/.exec(warning ?? '')?.[1] ?? '';
}

/** What an author gets who copies that line, exactly as it is printed, into `@CacheView({ … })`. */
export function optionsOf(line: string): CacheViewOptions {
  const code = ts.transpile(`({ ${Object.keys(NAMES).join(', ')} }) => ({ ${line} })`, {
    target: ts.ScriptTarget.ES2023,
  });
  return (runInThisContext(code) as (names: typeof NAMES) => CacheViewOptions)(NAMES);
}
