import { CachingConfigError } from './caching.errors.js';
import { DURATION_RULE, toMilliseconds } from './duration.js';

export function oneOf(
  field: string,
  given: unknown,
  allowed: readonly string[],
  where = 'CachingModule',
): void {
  if (!allowed.includes(given as string))
    throw new CachingConfigError(field, given, allowed.map((each) => `'${each}'`).join(' or '), where);
}

/** Milliseconds of a duration that a user wrote. */
export function duration(field: string, given: unknown, where: string, warnings: string[]): number {
  const milliseconds = toMilliseconds(given);
  if (milliseconds === undefined) throw new CachingConfigError(field, given, DURATION_RULE, where);
  if (typeof given === 'number' && given < 1000) {
    warnings.push(
      `${where}: option "${field}" is ${given}, which is ${given} milliseconds. Write '${given}s' for seconds.`,
    );
  }
  return milliseconds;
}

export function wholeNumber(field: string, given: unknown, where = 'CachingModule'): number {
  if (!Number.isSafeInteger(given) || (given as number) < 1) {
    throw new CachingConfigError(field, given, 'a whole number of at least 1', where);
  }
  return given as number;
}

export function checkType(
  field: string,
  given: unknown,
  type: string,
  where: string,
  allowed = `a ${type}`,
): void {
  if (given !== undefined && typeof given !== type)
    throw new CachingConfigError(field, given, allowed, where);
}
