import { CachingConfigError } from '../../caching.errors.js';
import { kindOf } from '../kind-of.js';
import type { NodeAddress } from './node-redis.js';

const ALLOWED =
  "'redis://[user:password@]host[:port][/database]', 'redis+sentinel://[user:password@]host[:port][,…]/name[/database]', " +
  "'redis+cluster://[user:password@]host[:port][,…]', each with rediss for TLS, or 'unix:///path[?db=number]'";

/** Where a URL leads to, and as whom. What it doesn't say is left to others. */
export interface RedisTarget {
  readonly kind: 'server' | 'sentinel' | 'cluster';
  /** None for a socket in the file system. */
  readonly nodes: readonly NodeAddress[];
  /** A socket in the file system, instead of a host. */
  readonly path?: string;
  /** What the sentinels call the server. */
  readonly name?: string;
  readonly tls: boolean;
  readonly username?: string;
  readonly password?: string;
  readonly database?: number;
}

const SHAPE = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/?#]*)@)?([^@/?#]+)((?:\/[^@/?#]*)*)$/i;
const SOCKET = /^unix:\/\/(?:([^@/?#]*)@)?(\/[^?#]+)(?:\?db=(\d{1,5}))?$/i;
const NODE = /^(\[[\da-f:.]+\]|[^\s:[\]]+)(?::(\d{1,5}))?$/i;
const DATABASE = /^\d{1,5}$/;
const DEFAULT_PORT = { server: 6379, cluster: 6379, sentinel: 26379 } as const;

/** @throws CachingConfigError, which shows no credentials */
export function parseRedisUrl(url: unknown): RedisTarget {
  if (typeof url !== 'string') throw new CachingConfigError('url', kindOf(url), ALLOWED, 'redis()');
  const target = SOCKET.test(url) ? socketTarget(url) : networkTarget(url);
  if (target === undefined) throw new CachingConfigError('url', shown(url), ALLOWED, 'redis()');
  return target;
}

function socketTarget(url: string): RedisTarget | undefined {
  const [, userInfo, path = '', database] = SOCKET.exec(url) ?? [];
  const credentials = credentialsOf(userInfo);
  const socket = decode(path);
  if (credentials === undefined || socket === undefined) return undefined;
  return {
    kind: 'server',
    nodes: [],
    path: socket,
    tls: false,
    ...credentials,
    ...(database !== undefined && { database: Number(database) }),
  };
}

function networkTarget(url: string): RedisTarget | undefined {
  const [, scheme = '', kinds = 'server', userInfo, hosts = '', path = ''] = SHAPE.exec(url) ?? [];
  const kind = kinds.toLowerCase() as RedisTarget['kind'];
  const nodes = hosts.split(',').map((host) => nodeOf(host, kind));
  const credentials = credentialsOf(userInfo);
  const place = placeOf(kind, path);
  if (credentials === undefined || place === undefined || !nodes.every((node) => node !== undefined))
    return undefined;
  if (kind === 'server' && nodes.length > 1) return undefined;
  return { kind, nodes, tls: scheme.toLowerCase() === 'rediss', ...credentials, ...place };
}

function nodeOf(text: string, kind: RedisTarget['kind']): NodeAddress | undefined {
  const [, host, port] = NODE.exec(text) ?? [];
  if (host === undefined || Number(port) > 65_535) return undefined;
  return {
    host: host.replace(/^\[(.*)\]$/, '$1'),
    port: port === undefined ? DEFAULT_PORT[kind] : Number(port),
  };
}

/** RFC 3986 §3.2.1: the first colon ends the user, and both are percent-encoded. */
function credentialsOf(userInfo = ''): Pick<RedisTarget, 'username' | 'password'> | undefined {
  const colon = userInfo.indexOf(':');
  const username = decode(colon < 0 ? userInfo : userInfo.slice(0, colon));
  const password = decode(colon < 0 ? '' : userInfo.slice(colon + 1));
  if (username === undefined || password === undefined) return undefined;
  return { ...(username !== '' && { username }), ...(password !== '' && { password }) };
}

function placeOf(
  kind: RedisTarget['kind'],
  path: string,
): Pick<RedisTarget, 'name' | 'database'> | undefined {
  const parts = path.replace(/^\//, '').replace(/\/$/, '').split('/');
  const name = kind === 'sentinel' ? decode(parts.shift() ?? '') : undefined;
  if (kind === 'sentinel' && (name === undefined || name === '')) return undefined;
  const [database = '', ...rest] = parts;
  if (rest.length > 0 || (database !== '' && !DATABASE.test(database))) return undefined;
  // A cluster has database 0 alone.
  if (kind === 'cluster' && Number(database) !== 0) return undefined;
  return { ...(name !== undefined && { name }), ...(database !== '' && { database: Number(database) }) };
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

/** Whatever is no URL of ours may hold a password anywhere, but for the hosts of one that has the shape. */
function shown(url: string): string {
  const [, scheme, kind, , hosts, path = ''] = SHAPE.exec(url) ?? [];
  if (scheme === undefined) return '(not such a URL)';
  return `${scheme}${kind === undefined ? '' : `+${kind}`}://…${hosts}${path}`;
}
