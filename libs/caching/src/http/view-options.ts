import { CachingConfigError } from '../caching.errors.js';
import { checkNames } from '../check-names.js';
import { checkPolicy } from '../check-policy.js';
import type { CacheViewOptions } from '../decorators.js';
import type { Duration } from '../duration.js';
import { FIELD_NAMES_RULE, isFieldName } from './key-options.js';
import { checkTags } from './tag-options.js';

/** RFC 5646 §2.1, as far as `Accept-Language` can ask for it. */
function isTag(value: unknown): boolean {
  return typeof value === 'string' && /^[a-z]{1,8}(?:-[a-z0-9]{1,8})*$/i.test(value);
}

/** All that `@CacheView` takes. */
export const VIEW_FIELDS: Readonly<Record<keyof CacheViewOptions, true>> = {
  ttl: true,
  key: true,
  vary: true,
  languages: true,
  validator: true,
  scope: true,
  inputs: true,
  tags: true,
  statuses: true,
  unless: true,
  refresh: true,
  filter: true,
  maxEntryBytes: true,
  version: true,
  coalesce: true,
  freshness: true,
  staleWhileRevalidate: true,
  staleIfError: true,
  softTimeout: true,
  refreshAhead: true,
  honourRequestCacheControl: true,
  etag: true,
  downstream: true,
};

/** The module's, the controller's and the method's options in one, the latter ones' fields winning. */
export function mergeViewOptions(...layers: readonly (CacheViewOptions | undefined)[]): CacheViewOptions {
  const merged: CacheViewOptions = {};
  for (const layer of layers) {
    for (const [field, value] of Object.entries(layer ?? {})) {
      if (value !== undefined && Object.hasOwn(VIEW_FIELDS, field)) Object.assign(merged, { [field]: value });
    }
    const { ttl, statuses } = layer ?? {};
    if (ttl !== undefined && statuses === undefined) giveSuccesses(merged, ttl);
  }
  return merged;
}

/** A time that is given nearer to the handler than times by status counts for the successes among these. */
function giveSuccesses(merged: CacheViewOptions, ttl: Duration): void {
  const { statuses } = merged;
  if (statuses === undefined || Array.isArray(statuses)) return;
  merged.statuses = Object.fromEntries(
    Object.entries(statuses).map(([status, own]) => [status, Number(status) < 300 ? ttl : own]),
  );
}

/** @throws CachingConfigError naming the route and the field */
export function checkViewOptions(given: CacheViewOptions, route: string, warnings: string[]): void {
  const where = `@CacheView of ${route}`;
  checkNames(given, VIEW_FIELDS, where);
  checkPolicy(given, where, warnings);
  const { vary, languages, tags, inputs, validator } = given;
  if (vary !== undefined && !(Array.isArray(vary) && vary.every(isFieldName))) {
    throw new CachingConfigError(
      'vary',
      Array.isArray(vary) ? vary.find((name) => !isFieldName(name)) : vary,
      FIELD_NAMES_RULE,
      where,
    );
  }
  if (
    languages !== undefined &&
    !(Array.isArray(languages) && languages.length > 0 && languages.every(isTag))
  )
    throw new CachingConfigError('languages', languages, "language tags, e.g. ['de', 'en-GB']", where);
  if (inputs !== undefined && inputs !== 'reviewed')
    throw new CachingConfigError('inputs', inputs, "'reviewed'", where);
  if (validator !== undefined && typeof validator !== 'function')
    throw new CachingConfigError('validator', validator, 'a function', where);
  checkTags(tags, where);
}
