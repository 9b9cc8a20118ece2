import { readFileSync } from 'node:fs';
import { CachingConfigError } from '../caching.errors.js';
import type { CachingModuleOptions } from '../caching.options.js';
import { BYTES_RULE, COUNT_RULE, FLAG_RULE, readBytes, readCount, readFlag } from './environment-texts.js';
import type { Environment } from './environment.js';
import { storeFromUrl, type StoreUrlOptions } from './store-from-url.js';
import type { RedisClientSettings } from '../stores/redis/url-link.js';

const NODES_RULE = "'host' or 'host:port', several with commas between them";
const NODES = /^(?:\[[\da-f:.]+\]|[\w.-]+)(?::\d{1,5})?(?:,(?:\[[\da-f:.]+\]|[\w.-]+)(?::\d{1,5})?)*$/i;

/** What follows the prefix, of all variables that are about the store. */
export const STORE_VARIABLES: readonly string[] = [
  'URL',
  'REDIS_HOST',
  'REDIS_PORT',
  'REDIS_SENTINELS',
  'REDIS_SENTINEL_MASTER',
  'REDIS_SENTINEL_USERNAME',
  'REDIS_SENTINEL_PASSWORD',
  'REDIS_SENTINEL_PASSWORD_FILE',
  'REDIS_CLUSTER',
  'REDIS_TLS',
  'REDIS_CA_FILE',
  'REDIS_USERNAME',
  'REDIS_PASSWORD',
  'REDIS_PASSWORD_FILE',
  'REDIS_DB',
  'REDIS_CLIENT_NAME',
  'REDIS_WAIT_FOR_REPLICAS',
  'SQLITE_FILE',
  'SQLITE_MAX_BYTES',
  'SQLITE_MAX_ENTRIES',
];

/**
 * The store that the environment names, or nothing.
 *
 * @param given what code says of stores; a variable wins over it
 * @throws CachingConfigError naming the variable, and showing no credentials
 */
export function storeOf(
  environment: Environment,
  given: StoreUrlOptions = {},
): CachingModuleOptions['store'] {
  // Here as well, so that it is checked at once and not when something connects.
  const url = environment.read('URL');
  const fromParts = url === undefined ? urlOfParts(environment) : undefined;
  const [variable, text] = url === undefined ? (fromParts ?? []) : ['URL', url];
  // A URL may hold a password: it is tried, and never shown.
  if (variable === undefined || text === undefined || /^memory:$/i.test(text)) return undefined;
  try {
    return storeFromUrl(text, optionsOf(environment, given));
  } catch (error) {
    if (!(error instanceof CachingConfigError)) throw error;
    const { field, given: shown, allowed } = error;
    if (field === 'url') throw environment.wrong(variable, shown, allowed);
    if (field === 'driver') {
      const driver = given.sqlite?.driver ?? 'SQLite, of which no driver is installed';
      throw environment.wrong(variable, driver, allowed);
    }
    if (field === 'maxEntries') throw environment.wrong('SQLITE_MAX_ENTRIES', shown, allowed);
    throw error;
  }
}

/** A server, sentinels, a cluster or a file by parts, as a URL without credentials, with the variable that says which. */
function urlOfParts(environment: Environment): readonly [variable: string, url: string] | undefined {
  const ways = ['REDIS_HOST', 'REDIS_SENTINELS', 'REDIS_CLUSTER', 'SQLITE_FILE'].filter(
    (each) => environment.read(each) !== undefined,
  );
  const [way, other] = ways;
  if (way === undefined) return undefined;
  if (other !== undefined)
    throw environment.wrong(other, `set beside ${environment.nameOf(way)}`, 'one of them');
  const hosts = environment.read(way) ?? '';
  if (way === 'SQLITE_FILE') return [way, `sqlite:${encodeURIComponent(hosts)}`];
  if (!NODES.test(hosts) || (way === 'REDIS_HOST' && hosts.includes(',')))
    throw environment.wrong(way, hosts.includes('@') ? '(not shown)' : hosts, NODES_RULE);
  const scheme = flag(environment, 'REDIS_TLS') ? 'rediss' : 'redis';
  if (way === 'REDIS_CLUSTER') return [way, `${scheme}+cluster://${hosts}`];
  if (way === 'REDIS_HOST') {
    const port = count(environment, 'REDIS_PORT');
    return [way, `${scheme}://${hosts}${port === undefined || hosts.endsWith(`:${port}`) ? '' : `:${port}`}`];
  }
  const master = environment.read('REDIS_SENTINEL_MASTER');
  if (master === undefined)
    throw environment.wrong(
      'REDIS_SENTINEL_MASTER',
      undefined,
      'the name that the sentinels have for the server',
    );
  return [way, `${scheme}+sentinel://${hosts}/${encodeURIComponent(master)}`];
}

function optionsOf(environment: Environment, given: StoreUrlOptions): StoreUrlOptions {
  const maxBytes = bytes(environment, 'SQLITE_MAX_BYTES');
  const maxEntries = count(environment, 'SQLITE_MAX_ENTRIES');
  return {
    redis: redisOptions(environment, given.redis),
    sqlite: {
      ...given.sqlite,
      ...(maxBytes !== undefined && { maxBytes }),
      ...(maxEntries !== undefined && { maxEntries }),
    },
  };
}

/** What the URL does not say: where it says it, the URL wins. */
function redisOptions(
  environment: Environment,
  given: StoreUrlOptions['redis'] = {},
): NonNullable<StoreUrlOptions['redis']> {
  const ca = certificates(environment);
  const waitForReplicas = count(environment, 'REDIS_WAIT_FOR_REPLICAS');
  const client = settings(given.clientOptions, ca, {
    username: environment.read('REDIS_USERNAME'),
    password: environment.readSecret('REDIS_PASSWORD'),
    database: count(environment, 'REDIS_DB'),
    name: environment.read('REDIS_CLIENT_NAME'),
  });
  const sentinel = settings(given.sentinelOptions, ca, {
    username: environment.read('REDIS_SENTINEL_USERNAME'),
    password: environment.readSecret('REDIS_SENTINEL_PASSWORD'),
  });
  return {
    ...given,
    clientOptions: client,
    sentinelOptions: sentinel,
    ...(waitForReplicas !== undefined && { waitForReplicas }),
  };
}

function settings(
  given: RedisClientSettings = {},
  ca: string | undefined,
  read: { readonly [Name in keyof RedisClientSettings]?: RedisClientSettings[Name] | undefined },
): RedisClientSettings {
  const known = Object.entries(read).filter(([, value]) => value !== undefined);
  return {
    ...given,
    ...Object.fromEntries(known),
    ...(ca !== undefined && { socket: { ...given.socket, ca } }),
  };
}

function certificates(environment: Environment): string | undefined {
  const file = environment.read('REDIS_CA_FILE');
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw environment.wrong('REDIS_CA_FILE', file, `a file that can be read (${code ?? 'it can not'})`);
  }
}

function count(environment: Environment, variable: string): number | undefined {
  const text = environment.read(variable);
  const value = text === undefined ? undefined : readCount(text);
  if (text !== undefined && value === undefined) throw environment.wrong(variable, text, COUNT_RULE);
  return value;
}

function bytes(environment: Environment, variable: string): number | undefined {
  const text = environment.read(variable);
  const value = text === undefined ? undefined : readBytes(text);
  if (text !== undefined && (value === undefined || value < 1))
    throw environment.wrong(variable, text, BYTES_RULE);
  return value;
}

function flag(environment: Environment, variable: string): boolean {
  const text = environment.read(variable);
  const value = text === undefined ? false : readFlag(text);
  if (value === undefined) throw environment.wrong(variable, text, FLAG_RULE);
  return value;
}
