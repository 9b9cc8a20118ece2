import { CachingConfigError } from './caching.errors.js';

/** @throws CachingConfigError where `given` has an option that is not among `known` */
export function checkNames(given: object, known: object, where: string, prefix = ''): void {
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(known, name)) {
      throw new CachingConfigError(
        prefix + name,
        'not an option',
        `one of ${Object.keys(known).join(', ')}`,
        where,
      );
    }
  }
}
