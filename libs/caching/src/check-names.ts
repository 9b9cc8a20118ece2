import { CachingConfigError, InWords } from './caching.errors.js';

/** What users of other caches write, and what it is called here. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  timeout: 'ttl',
  stores: 'store',
  max: 'memory.maxEntries',
  maxEntries: 'memory.maxEntries',
  maxBytes: 'memory.maxBytes',
  keyPrefix: 'namespace',
  host: 'url',
  socket: 'clientOptions.socket',
  username: 'clientOptions.username',
  password: 'clientOptions.password',
};

/**
 * @param hints what else somebody may write there, and what it is: `{ isGlobal: 'needless: …' }`
 * @throws CachingConfigError where `given` has an option that is not among `known`
 */
export function checkNames(
  given: object,
  known: object,
  where: string,
  prefix = '',
  hints: Readonly<Record<string, string>> = {},
): void {
  // Its names would be 0, 1, 2.
  if (Array.isArray(given)) throw new CachingConfigError('options', given, 'an object', where);
  const names = Object.keys(known);
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(known, name)) continue;
    const found = (Object.hasOwn(hints, name) ? hints[name] : undefined) ?? unknown(name, names);
    throw new CachingConfigError(prefix + name, new InWords(found), `one of ${names.join(', ')}`, where);
  }
}

function unknown(name: string, names: readonly string[]): string {
  const meant = similar(name, names) ?? translated(name, names);
  return meant === undefined ? 'unknown' : `unknown (did you mean "${meant}"?)`;
}

function translated(name: string, names: readonly string[]): string | undefined {
  const meant = Object.hasOwn(ELSEWHERE, name) ? ELSEWHERE[name] : undefined;
  return names.includes(`${meant?.split('.')[0]}`) ? meant : undefined;
}

/** The name that one slip of the keyboard makes of this one, or other capitals. */
function similar(name: string, names: readonly string[]): string | undefined {
  const small = name.toLowerCase();
  return names.find((each) => isOneSlip(small, each.toLowerCase()));
}

/** The same but for one letter too many, missing, or wrong, or two that changed places. */
function isOneSlip(one: string, other: string): boolean {
  let start = 0;
  while (start < one.length && one[start] === other[start]) start++;
  const [left, right] = [one.slice(start), other.slice(start)];
  if (left === right || left.slice(1) === right || left === right.slice(1)) return true;
  if (left.slice(1) === right.slice(1)) return true;
  return left[0] === right[1] && left[1] === right[0] && left.slice(2) === right.slice(2);
}
