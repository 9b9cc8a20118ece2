import { CachingConfigError } from './caching.errors.js';
import type { CachePolicyOptions } from './caching.options.js';
import { checkNames } from './check-names.js';
import { checkType, duration, oneOf, wholeNumber } from './check-values.js';
import { DURATION_RULE, toMilliseconds } from './duration.js';

/**
 * Checks the fields that the module and routes share.
 *
 * @param where whose options they are, for messages
 * @param warnings takes what is allowed and likely a mistake
 * @throws CachingConfigError naming the field
 */
export function checkPolicy(given: CachePolicyOptions, where: string, warnings: string[]): void {
  const { ttl, key, scope, statuses, maxEntryBytes, version } = given;
  if (ttl !== undefined) duration('ttl', ttl, where, warnings);
  for (const field of ['filter', 'unless', 'refresh'] as const)
    checkType(field, given[field], 'function', where);
  checkType('version', version, 'string', where);
  if (given.coalesce !== undefined) oneOf('coalesce', given.coalesce, ['instance', 'cluster'], where);
  if (given.freshness !== undefined) oneOf('freshness', given.freshness, ['min', 'response', 'route'], where);
  for (const field of ['honourRequestCacheControl', 'etag'] as const)
    checkType(field, given[field], 'boolean', where);
  checkStale(given, where, warnings);
  if (given.downstream !== undefined) checkDownstream(given.downstream, where, warnings);
  if (scope !== undefined && scope !== 'public')
    checkType('scope', scope, 'function', where, "'public' or a function");
  const strategies = key === undefined ? [] : Array.isArray(key) ? (key as unknown[]) : [key];
  if (key !== undefined && (strategies.length === 0 || !strategies.every(isStrategy))) {
    throw new CachingConfigError(
      'key',
      key,
      'path(), query(), jsonBody(), …, a function, or a list of these',
      where,
    );
  }
  if (maxEntryBytes !== undefined) wholeNumber('maxEntryBytes', maxEntryBytes, where);
  if (statuses !== undefined) checkStatuses(statuses, where, warnings);
}

function checkStale(given: CachePolicyOptions, where: string, warnings: string[]): void {
  for (const field of ['staleWhileRevalidate', 'staleIfError'] as const) {
    const value = given[field];
    if (value === undefined || value === false) continue;
    if (toMilliseconds(value) === undefined)
      throw new CachingConfigError(field, value, `${DURATION_RULE}, or false`, where);
    duration(field, value, where, warnings);
  }
  const { softTimeout, refreshAhead } = given;
  if (softTimeout !== undefined) duration('softTimeout', softTimeout, where, []);
  if (refreshAhead !== undefined && !(refreshAhead > 0 && refreshAhead < 1))
    throw new CachingConfigError('refreshAhead', refreshAhead, 'a number between 0 and 1', where);
}

function checkDownstream(
  given: NonNullable<CachePolicyOptions['downstream']>,
  where: string,
  warnings: string[],
): void {
  if (typeof given !== 'object' || given === null || Object.keys(given).length === 0)
    throw new CachingConfigError('downstream', given, 'an object with maxAge, public or both', where);
  checkNames(given, { maxAge: true, public: true }, where, 'downstream.');
  if (given.maxAge !== undefined) duration('downstream.maxAge', given.maxAge, where, warnings);
  checkType('downstream.public', given.public, 'boolean', where);
}

function isStrategy(item: unknown): boolean {
  if (typeof item === 'function') return true;
  const { part, covers } = (item ?? {}) as { part?: unknown; covers?: unknown };
  return typeof part === 'function' && typeof covers === 'object' && covers !== null;
}

function checkStatuses(statuses: unknown, where: string, warnings: string[]): void {
  if (typeof statuses !== 'object' || statuses === null) {
    throw new CachingConfigError('statuses', statuses, 'a list of statuses, or a duration by status', where);
  }
  const listed: unknown[] = Array.isArray(statuses) ? statuses : Object.keys(statuses).map(Number);
  for (const status of listed) {
    // 206 and 304 describe other responses than they are; 1xx are never final.
    const fits = Number.isInteger(status) && (status as number) >= 200 && (status as number) <= 599;
    if (!fits || status === 206 || status === 304) {
      throw new CachingConfigError(
        'statuses',
        status,
        'final statuses from 200 to 599 but 206 and 304',
        where,
      );
    }
  }
  if (Array.isArray(statuses)) return;
  for (const [status, ttl] of Object.entries(statuses)) duration(`statuses.${status}`, ttl, where, warnings);
}
