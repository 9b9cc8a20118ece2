import type { StorePromise } from '../../libs/caching/src/testing.js';

/** Promises of a contract as rows for `it.each(rows)('%s', …)`, which shortens no title. */
export function rowsOf(contract: readonly StorePromise[]): [promise: string, check: () => Promise<void>][] {
  return contract.map(({ promise, check }) => [promise, check]);
}
