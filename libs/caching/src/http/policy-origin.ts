import { CACHE_VIEW, type CacheViewOptions } from '../decorators.js';
import type { CachingModuleOptions } from '../caching.options.js';
import type { ViewPolicy } from './route-policy.js';
import type { RouteSite } from './route-site.js';
import { VIEW_FIELDS } from './view-options.js';

/** One field of a route's policy, and who decided it. */
export interface PolicyField {
  readonly field: string;
  /** As text; a function is only said to be one. */
  readonly value: string;
  readonly from: 'method' | 'controller' | 'module' | 'default';
}

/** Where each field of a route's policy came from: its method, its controller, the module, or nobody. */
export function policyFields(site: RouteSite, view: ViewPolicy, module: CachingModuleOptions): PolicyField[] {
  const handler = site.controller.prototype[site.method] as object;
  const layers = [
    ['method', Reflect.getMetadata(CACHE_VIEW, handler)],
    ['controller', Reflect.getMetadata(CACHE_VIEW, site.controller)],
    ['module', module],
  ] as const;
  const fields = Object.keys(VIEW_FIELDS) as (keyof CacheViewOptions)[];
  return fields.flatMap((field): PolicyField[] => {
    for (const [from, layer] of layers) {
      const value = (layer as CacheViewOptions | undefined)?.[field];
      if (value !== undefined)
        return [{ field, value: field === 'key' ? view.keyTexts.join(', ') : textOf(value), from }];
    }
    const value = defaultOf(field, view);
    return value === undefined ? [] : [{ field, value, from: 'default' }];
  });
}

/** Defaults that decide something; the others are off. */
function defaultOf(field: keyof CacheViewOptions, view: ViewPolicy): string | undefined {
  switch (field) {
    case 'ttl':
      return `${view.ttl} ms`;
    case 'key':
      return view.keyTexts.join(', ');
    case 'statuses':
      return [...view.statuses.keys()].join(', ');
    case 'maxEntryBytes':
      return String(view.maxEntryBytes);
    case 'freshness':
      return view.freshness.mode;
    default:
      return undefined;
  }
}

function textOf(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  return typeof value === 'string'
    ? value
    : JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'function' ? 'a function' : inner));
}
