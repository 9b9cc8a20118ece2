import type { CompressionPolicy } from './http/compression-policy.js';
import { isAvailable } from './http/coded-bodies.js';
import { CachingConfigError, InWords } from './caching.errors.js';
import { type CachingModuleOptions, DEFAULTS, type ResolvedOptions } from './caching.options.js';
import { checkNames } from './check-names.js';
import { checkPolicy } from './check-policy.js';
import { checkType, duration, oneOf, wholeNumber } from './check-values.js';
import { resolveKeyHash } from './key-hash.js';
import type { MetricsExporter } from './observe/instruments.js';
import type { CacheTracer } from './observe/tracing.js';
import { MEMORY_DEFAULTS } from './stores/memory.store.js';
import { isSharedTier } from './stores/shared-tier.js';
import type { CacheStore } from './stores/store.js';

const FIELDS: Readonly<Record<keyof CachingModuleOptions, true>> = {
  ttl: true,
  key: true,
  scope: true,
  statuses: true,
  filter: true,
  unless: true,
  refresh: true,
  maxEntryBytes: true,
  coalesce: true,
  freshness: true,
  staleWhileRevalidate: true,
  staleIfError: true,
  softTimeout: true,
  refreshAhead: true,
  honourRequestCacheControl: true,
  etag: true,
  downstream: true,
  version: true,
  namespace: true,
  enabled: true,
  cacheAll: true,
  principal: true,
  credentialCookies: true,
  memory: true,
  store: true,
  coherence: true,
  heartbeat: true,
  keyHash: true,
  onStoreFailure: true,
  storeTimeout: true,
  coalesceTimeout: true,
  autoEvict: true,
  compression: true,
  debugHeaders: true,
  serverTiming: true,
  metrics: true,
  tracing: true,
  verify: true,
};

/** Every option of the module. */
export const OPTION_NAMES = Object.keys(FIELDS) as readonly (keyof CachingModuleOptions)[];

/** What would do nothing among these. Extras get here from a factory only. */
const ELSEWHERE = {
  isGlobal: 'needless (the module is global)',
  cacheManager: 'misplaced (it stands beside the factory)',
  dashboard: 'misplaced (it stands beside the factory)',
  toolbar: 'misplaced (it stands beside the factory)',
};

const COMPRESSION_DEFAULTS = { minBytes: 1_024, maxBytes: 16 * 1024 * 1024 } as const;

/**
 * Fills in the defaults, field by field.
 *
 * @throws CachingConfigError naming the field, what was given and what is allowed
 */
export function resolveOptions(given: CachingModuleOptions = {}): ResolvedOptions {
  checkObject(given);
  checkNames(given, FIELDS, 'CachingModule', '', ELSEWHERE);
  const warnings: string[] = [];
  checkPolicy(given, 'CachingModule', warnings);
  const { namespace = DEFAULTS.namespace, credentialCookies = '*', memory, store, principal } = given;
  const { storeTimeout = DEFAULTS.storeTimeout, coalesceTimeout = DEFAULTS.coalesceTimeout } = given;
  // Not one alone: keys begin with it and a colon, and tags with their kind, which is one letter, and a colon.
  if (typeof namespace !== 'string' || !/^[\w.-]{2,64}$/.test(namespace)) {
    throw new CachingConfigError('namespace', namespace, '2 to 64 letters, digits, "_", "." or "-"');
  }
  if (credentialCookies !== '*' && !isListOf(credentialCookies, 'string')) {
    throw new CachingConfigError('credentialCookies', credentialCookies, "'*' or a list of cookie names");
  }
  checkType('principal', principal, 'function', 'CachingModule');
  for (const field of ['enabled', 'cacheAll', 'autoEvict', 'debugHeaders', 'serverTiming'] as const) {
    checkType(field, given[field], 'boolean', 'CachingModule');
  }
  if (store !== undefined && !isStore(store))
    // A text there is likely a URL, with a password in it.
    throw new CachingConfigError(
      'store',
      typeof store === 'string' ? new InWords('a text') : store,
      'a store: memory(), redis({ url }), sqlite({ file }), keyv(), nullStore(), or storeFromUrl(url)',
    );
  const { coherence = DEFAULTS.coherence, onStoreFailure = DEFAULTS.onStoreFailure } = given;
  const { heartbeat = DEFAULTS.heartbeat } = given;
  oneOf('coherence', coherence, ['bus', 'strict']);
  oneOf('onStoreFailure', onStoreFailure, ['queue', 'throw']);
  if (store === undefined || !isSharedTier(store)) {
    for (const field of ['coherence', 'heartbeat', 'onStoreFailure', 'keyHash'] as const) {
      if (given[field] !== undefined)
        warnings.push(
          `CachingModule: option "${field}" does nothing without a shared store such as redis().`,
        );
    }
  }
  return {
    policy: given,
    namespace,
    credentialCookies,
    principal,
    store,
    warnings,
    enabled: given.enabled ?? true,
    cacheAll: given.cacheAll ?? false,
    autoEvict: given.autoEvict ?? true,
    compression: compressionOf(given.compression),
    debugHeaders: given.debugHeaders ?? true,
    serverTiming: given.serverTiming ?? false,
    metrics: exporters(given.metrics),
    tracing: tracerOf(given.tracing),
    verify: share('verify', given.verify ?? 0),
    ttl: duration('ttl', given.ttl ?? DEFAULTS.ttl, 'CachingModule', []),
    storeTimeout: duration('storeTimeout', storeTimeout, 'CachingModule', []),
    coalesceTimeout: duration('coalesceTimeout', coalesceTimeout, 'CachingModule', []),
    maxEntryBytes: given.maxEntryBytes ?? DEFAULTS.maxEntryBytes,
    memory: memoryBounds(memory, store),
    coherence,
    onStoreFailure,
    keyHash: resolveKeyHash(given.keyHash),
    heartbeat: duration('heartbeat', heartbeat, 'CachingModule', []),
  };
}

function tracerOf(given: CachingModuleOptions['tracing']): ResolvedOptions['tracing'] {
  const tracer = given as Partial<CacheTracer> | null | undefined;
  if (tracer !== undefined && typeof tracer?.fill !== 'function')
    throw new CachingConfigError('tracing', given, 'openTelemetryTracing()');
  return given;
}

function share(field: string, given: unknown): number {
  if (typeof given !== 'number' || !(given >= 0 && given <= 1))
    throw new CachingConfigError(field, given, 'a number from 0 to 1');
  return given;
}

function exporters(given: CachingModuleOptions['metrics'] = []): ResolvedOptions['metrics'] {
  const list: readonly MetricsExporter[] = [given].flat();
  for (const each of list as Partial<MetricsExporter | null>[]) {
    if (typeof each?.start !== 'function')
      throw new CachingConfigError('metrics', each, 'prometheus(), openTelemetry(), or a list of these');
  }
  return list;
}

function compressionOf(given: CachingModuleOptions['compression'] = false): CompressionPolicy | undefined {
  if (given === false) return undefined;
  const options = given === true ? {} : given;
  if (typeof options !== 'object' || options === null)
    throw new CachingConfigError('compression', given, 'true, false or an object');
  checkNames(options, { minBytes: true, encodings: true, maxBytes: true }, 'CachingModule', 'compression.');
  const available = (['zstd', 'br', 'gzip'] as const).filter(isAvailable);
  const { minBytes, maxBytes, encodings = available } = { ...COMPRESSION_DEFAULTS, ...options };
  const isKnown = Array.isArray(encodings) && encodings.length > 0;
  if (!isKnown || !encodings.every((each) => available.includes(each)))
    throw new CachingConfigError(
      'compression.encodings',
      encodings,
      `a list of ${available.map((each) => `'${each}'`).join(', ')}, the first choice first`,
    );
  return {
    minBytes: wholeNumber('compression.minBytes', minBytes),
    encodings,
    maxBytes: wholeNumber('compression.maxBytes', maxBytes),
  };
}

function memoryBounds(
  memory: CachingModuleOptions['memory'] = {},
  store: CachingModuleOptions['store'],
): ResolvedOptions['memory'] {
  const isShared = store !== undefined && isSharedTier(store);
  if (memory === false && isShared) return false;
  if (typeof memory !== 'object' || memory === null)
    throw new CachingConfigError('memory', memory, 'an object, or false beside a shared store');
  checkNames(memory, { maxBytes: true, maxEntries: true }, 'CachingModule', 'memory.');
  if (store !== undefined && !isShared && Object.keys(memory).length > 0) {
    throw new CachingConfigError('memory', memory, 'bounds of the default store; write store: memory({ … })');
  }
  const { maxBytes = MEMORY_DEFAULTS.maxBytes, maxEntries = MEMORY_DEFAULTS.maxEntries } = memory;
  return {
    maxBytes: wholeNumber('memory.maxBytes', maxBytes),
    maxEntries: wholeNumber('memory.maxEntries', maxEntries),
  };
}

function isStore(given: object): boolean {
  if (typeof given !== 'object' || given === null) return false;
  const store: Partial<CacheStore> = given;
  return (
    isSharedTier(given) ||
    [store.lookup, store.set, store.evict, store.isCurrent].every((part) => typeof part === 'function')
  );
}

/** @throws CachingConfigError for options that are not an object */
export function checkObject(given: unknown): void {
  if (typeof given !== 'object' || given === null)
    throw new CachingConfigError('options', given, 'an object');
}

function isListOf(value: unknown, type: string): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === type);
}
