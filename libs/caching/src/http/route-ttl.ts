import type { ViewPolicy } from './route-policy.js';

/** What the decorators say of a route whose time to live was changed since. */
const declared = new WeakMap<
  ViewPolicy,
  { readonly ttl: number; readonly statuses: ReadonlyMap<number, number> }
>();

/**
 * Changes for how long responses live that are stored from now on: those of successful statuses, as the `ttl` of a
 * route does. Other statuses keep theirs.
 *
 * @param ttl milliseconds, or nothing for what the decorators say
 */
export function changeTtl(view: ViewPolicy, ttl: number | undefined): void {
  const original = declared.get(view) ?? { ttl: view.ttl, statuses: new Map(view.statuses) };
  declared.set(view, original);
  view.ttl = ttl ?? original.ttl;
  for (const [status, own] of original.statuses)
    view.statuses.set(status, ttl !== undefined && (status < 300 || own === original.ttl) ? ttl : own);
}
