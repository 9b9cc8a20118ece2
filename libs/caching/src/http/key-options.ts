import { CachingConfigError } from '../caching.errors.js';
import { checkNames } from '../check-names.js';

/**
 * Checks the options of a strategy that takes some names or leaves some out.
 *
 * @param others what it takes beside `include` and `ignore`
 * @throws CachingConfigError naming the strategy and the option
 */
export function checkPick(strategy: string, options: unknown, others: readonly string[]): void {
  if (typeof options !== 'object' || options === null) {
    throw new CachingConfigError('options', options, 'an object', strategy);
  }
  checkNames(
    options,
    Object.fromEntries(['include', 'ignore', ...others].map((name) => [name, true])),
    strategy,
  );
  const { include, ignore } = options as { include?: unknown; ignore?: unknown };
  for (const [field, value] of Object.entries({ include, ignore })) {
    if (value !== undefined && !(Array.isArray(value) && value.every((name) => typeof name === 'string'))) {
      throw new CachingConfigError(field, value, 'a list of names', strategy);
    }
  }
  if (include !== undefined && ignore !== undefined) {
    throw new CachingConfigError('ignore', ignore, 'either include or ignore, not both', strategy);
  }
}

/** A strategy as it is written. */
export function written(name: string, options: object): string {
  return `${name}(${Object.keys(options).length === 0 ? '' : JSON.stringify(options)})`;
}

/** What the names of keyed headers must be, for messages. */
export const FIELD_NAMES_RULE =
  'a list of header names, but "host": a client can send any, so that is host({ allow: [...] })';

export function isFieldName(name: unknown): boolean {
  return (
    typeof name === 'string' && /^[!#$%&'*+.^_`|~0-9a-z-]+$/i.test(name) && name.toLowerCase() !== 'host'
  );
}
