import { CachingConfigError } from '../caching.errors.js';
import type { CachingModuleOptions } from '../caching.options.js';
import { DURATION_RULE } from '../duration.js';
import {
  BYTES_RULE,
  COUNT_RULE,
  FLAG_RULE,
  LIST_RULE,
  PART_RULE,
  readBytes,
  readCount,
  readDuration,
  readFlag,
  readNames,
  readPart,
} from './environment-texts.js';
import type { Environment } from './environment.js';
import { resolveOptions } from '../resolve-options.js';

interface Reader {
  readonly read: (text: string) => unknown;
  readonly rule: string;
}

const FLAG: Reader = { read: readFlag, rule: FLAG_RULE };
const COUNT: Reader = { read: readCount, rule: COUNT_RULE };
const BYTES: Reader = { read: readBytes, rule: BYTES_RULE };
const DURATION: Reader = { read: readDuration, rule: DURATION_RULE };
const NAMES: Reader = { read: readNames, rule: LIST_RULE };
const DURATION_OR_NEVER: Reader = {
  read: (text) => (text === 'false' ? false : readDuration(text)),
  rule: `${DURATION_RULE}, or false`,
};
const PART: Reader = { read: readPart, rule: PART_RULE };
/** One of some words, or a text of a form, which the option itself says. */
const TEXT: Reader = { read: (text) => text, rule: '' };

/** The option that a variable gives, by what follows the prefix. A `.` leads into an object. */
const OPTIONS = {
  ENABLED: ['enabled', FLAG],
  ALL: ['cacheAll', FLAG],
  TTL: ['ttl', DURATION],
  NAMESPACE: ['namespace', TEXT],
  VERSION: ['version', TEXT],
  MAX_ENTRY_BYTES: ['maxEntryBytes', BYTES],
  MEMORY_MAX_BYTES: ['memory.maxBytes', BYTES],
  MEMORY_MAX_ENTRIES: ['memory.maxEntries', COUNT],
  KEY_HASH: ['keyHash', TEXT],
  STORE_TIMEOUT: ['storeTimeout', DURATION],
  COALESCE: ['coalesce', TEXT],
  COALESCE_TIMEOUT: ['coalesceTimeout', DURATION],
  COHERENCE: ['coherence', TEXT],
  HEARTBEAT: ['heartbeat', DURATION],
  ON_STORE_FAILURE: ['onStoreFailure', TEXT],
  FRESHNESS: ['freshness', TEXT],
  STALE_WHILE_REVALIDATE: ['staleWhileRevalidate', DURATION_OR_NEVER],
  STALE_IF_ERROR: ['staleIfError', DURATION_OR_NEVER],
  SOFT_TIMEOUT: ['softTimeout', DURATION],
  REFRESH_AHEAD: ['refreshAhead', PART],
  HONOUR_REQUEST_CACHE_CONTROL: ['honourRequestCacheControl', FLAG],
  ETAG: ['etag', FLAG],
  CREDENTIAL_COOKIES: ['credentialCookies', NAMES],
  AUTO_EVICT: ['autoEvict', FLAG],
  DEBUG_HEADERS: ['debugHeaders', FLAG],
  COMPRESSION: ['compression', FLAG],
  SERVER_TIMING: ['serverTiming', FLAG],
  VERIFY: ['verify', PART],
} as const satisfies Record<string, readonly [option: string, reader: Reader]>;

/** What follows the prefix, of all variables that give an option. */
export const OPTION_VARIABLES: readonly string[] = Object.keys(OPTIONS);

/**
 * The options that the environment gives, but the store.
 *
 * @throws CachingConfigError naming the variable
 */
export function optionsOf(environment: Environment): CachingModuleOptions {
  const options: Record<string, unknown> = {};
  for (const [variable, [option, { read, rule }]] of Object.entries(OPTIONS)) {
    const text = environment.read(variable);
    if (text === undefined) continue;
    const value = read(text);
    if (value === undefined) throw environment.wrong(variable, text, rule);
    const [name = '', inner] = option.split('.');
    const given = inner === undefined ? { [name]: value } : { [name]: { [inner]: value } };
    checkOption(environment, variable, text, given);
    options[name] = inner === undefined ? value : { ...(options[name] as object), [inner]: value };
  }
  return options;
}

/** By the rules of the option itself, in the name of the variable. */
function checkOption(environment: Environment, variable: string, text: string, given: object): void {
  try {
    resolveOptions(given);
  } catch (error) {
    if (!(error instanceof CachingConfigError)) throw error;
    throw environment.wrong(variable, text, error.allowed);
  }
}
