import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { parseRedisUrl } from '../../libs/caching/src/stores/redis/redis-url.js';
import { redis, type RedisStoreOptions } from '../../libs/caching/src/stores/redis/redis.store.js';
import { poll } from '../support/redis/poll.js';
import { redisCommand } from '../support/redis/redis-command.js';
import { startCluster } from '../support/redis/redis-cluster.js';
import { startSentinel } from '../support/redis/redis-sentinel.js';
import { type RedisServer, startRedis } from '../support/redis/redis-server.js';
import { startTlsRedis, type TlsRedis } from '../support/redis/tls.js';
import { tierHost } from '../support/tier-host.js';

/** Characters that a URL has to encode. */
const PASSWORD = 'p@ss/w:rd?#% ü';
const ENCODED = encodeURIComponent(PASSWORD);

/** Opens a tier; resolves once it can be asked. Errors are collected. */
async function open(options: RedisStoreOptions, patience = 10_000) {
  const tier = redis(options);
  const errors: unknown[] = [];
  onTestFinished(() => tier.close());
  tier.open(
    tierHost(`urls-${randomUUID().slice(0, 8)}`, {
      timeout: 2_000,
      onError: (_operation, error) => errors.push(error),
    }),
  );
  const ready = async () => {
    await tier.sync(undefined);
    await tier.set('key', Buffer.from('bytes'), 60_000);
    return String((await tier.lookup('key')).frame) === 'bytes' || undefined;
  };
  await poll('the tier to be ready', ready, patience);
  return { tier, errors };
}

describe('redis({ url })', () => {
  let server: RedisServer;
  const keysIn = async (database: number) =>
    Number(await redisCommand(`${server.url}/${database}`, ['DBSIZE']));

  beforeAll(async () => {
    server = await startRedis({
      requirepass: PASSWORD,
      args: ['--unixsocket', 'redis.sock'],
    });
  });
  afterAll(() => server.close());

  it('takes the password and the database from the URL, decoded', async () => {
    await open({ url: `redis://:${ENCODED}@127.0.0.1:${server.port}/3` });
    expect(await keysIn(3)).toBeGreaterThan(0);
    expect(await keysIn(0)).toBe(0);
  });

  it('takes the user from the URL, decoded', async () => {
    const acl = ['ACL', 'SETUSER', 'us:er@1', 'on', `>${PASSWORD}`, '~*', '&*', '+@all'];
    await redisCommand(server.url, acl);
    await open({ url: `redis://${encodeURIComponent('us:er@1')}:${ENCODED}@127.0.0.1:${server.port}/4` });
    expect(await keysIn(4)).toBeGreaterThan(0);
    expect(String(await redisCommand(server.url, ['CLIENT', 'LIST']))).toContain('user=us:er@1');
  });

  it('takes what the URL does not say from clientOptions', async () => {
    const clientOptions = { password: PASSWORD, database: 5, name: 'our-cache' };
    await open({ url: `redis://127.0.0.1:${server.port}`, clientOptions });
    expect(await keysIn(5)).toBeGreaterThan(0);
    expect(String(await redisCommand(server.url, ['CLIENT', 'LIST']))).toContain('name=our-cache');
  });

  it('prefers the URL to clientOptions', async () => {
    const clientOptions = { username: 'nobody', password: 'wrong', database: 7 };
    await open({ url: `redis://default:${ENCODED}@127.0.0.1:${server.port}/6`, clientOptions });
    expect(await keysIn(6)).toBeGreaterThan(0);
    expect(await keysIn(7)).toBe(0);
  });

  it('reaches a socket in the file system', async () => {
    const socket = join(server.folder, 'redis.sock').split('/').map(encodeURIComponent).join('/');
    await open({ url: `unix://:${ENCODED}@${socket}?db=8` });
    expect(await keysIn(8)).toBeGreaterThan(0);
  });
});

describe('redis({ url }) with TLS', () => {
  let tls: TlsRedis;

  beforeAll(async () => {
    tls = await startTlsRedis(PASSWORD);
  });
  afterAll(() => tls.close());

  it('encrypts, and checks the certificate by the given authority', async () => {
    const { errors } = await open({
      url: `rediss://:${ENCODED}@127.0.0.1:${tls.port}/1`,
      clientOptions: { socket: { ca: tls.ca } },
    });
    expect(errors).toEqual([]);
    expect(Number(await redisCommand(`${tls.server.url}/1`, ['DBSIZE']))).toBeGreaterThan(0);
  });

  it('connects to nobody whose certificate no authority has signed', async () => {
    const opening = open({ url: `rediss://:${ENCODED}@127.0.0.1:${tls.port}/2` }, 1_500);
    await expect(opening).rejects.toThrow(/the tier to be ready/);
    expect(Number(await redisCommand(`${tls.server.url}/2`, ['DBSIZE']))).toBe(0);
  });

  it('is not turned off by options: the URL says whether it is used', async () => {
    await open({
      url: `rediss://:${ENCODED}@127.0.0.1:${tls.port}/3`,
      clientOptions: { socket: { ca: tls.ca, tls: false } },
    });
    expect(Number(await redisCommand(`${tls.server.url}/3`, ['DBSIZE']))).toBeGreaterThan(0);
  });
});

describe('redis({ url }) of several servers', () => {
  it('reaches a cluster by some of its nodes, also where one of them is gone', async () => {
    const cluster = await startCluster({ replicasPerMaster: 0 });
    onTestFinished(() => cluster.close());
    const hosts = cluster.nodes.map(({ port }) => `127.0.0.1:${port}`);
    const { tier } = await open({ url: `redis+cluster://127.0.0.1:2,${hosts.join(',')}` });
    const keys = Array.from({ length: 32 }, (_, at) => `key ${at}`);
    await Promise.all(keys.map((key) => tier.set(key, Buffer.from(key), 60_000)));
    for (const key of keys) expect(String((await tier.lookup(key)).frame)).toBe(key);
  });

  it('reaches what sentinels call the master, and follows a failover', async () => {
    const group = await startSentinel();
    onTestFinished(() => group.close());
    const hosts = group.rootNodes.map(({ host, port }) => `${host}:${port}`).join(',');
    const { tier } = await open({ url: `redis+sentinel://127.0.0.1:2,${hosts}/${group.name}/2` });
    const before = await group.master();
    expect(Number(await redisCommand(`${before.url}/2`, ['DBSIZE']))).toBeGreaterThan(0);
    const after = await group.failOver();
    expect(after).not.toBe(before);
    const size = async () => Number(await redisCommand(`${after.url}/2`, ['DBSIZE']));
    const known = await size();
    const stored = async () => {
      await tier.set('after', Buffer.from('failover'), 60_000);
      return (await size()) > known || undefined;
    };
    await poll('the tier to follow', stored, 20_000);
    expect(String((await tier.lookup('after')).frame)).toBe('failover');
  }, 60_000);

  it('gives sentinels credentials of their own', async () => {
    const group = await startSentinel();
    onTestFinished(() => group.close());
    for (const sentinel of group.sentinels)
      await sentinel.command('ACL', 'SETUSER', 'default', 'resetpass', `>${PASSWORD}`);
    const hosts = group.rootNodes.map(({ host, port }) => `${host}:${port}`).join(',');
    const url = `redis+sentinel://${hosts}/${group.name}`;
    await expect(open({ url }, 1_500)).rejects.toThrow(/the tier to be ready/);
    const { tier } = await open({ url, sentinelOptions: { password: PASSWORD } });
    expect(String((await tier.lookup('key')).frame)).toBe('bytes');
  }, 60_000);
});

describe('a URL of Redis', () => {
  it.each([
    [
      'redis://u:p%40@h:1/2',
      { kind: 'server', nodes: [{ host: 'h', port: 1 }], username: 'u', password: 'p@', database: 2 },
    ],
    ['REDIS://h', { kind: 'server', nodes: [{ host: 'h', port: 6379 }], tls: false }],
    ['rediss://[::1]:1', { kind: 'server', nodes: [{ host: '::1', port: 1 }], tls: true }],
    ['redis://:p@h/', { kind: 'server', password: 'p' }],
    ['redis://u@h', { kind: 'server', username: 'u' }],
    [
      'rediss+sentinel://:p@a,b:2/my%20master/1',
      {
        kind: 'sentinel',
        nodes: [
          { host: 'a', port: 26379 },
          { host: 'b', port: 2 },
        ],
        name: 'my master',
        database: 1,
        tls: true,
      },
    ],
    [
      'redis+cluster://a:1,b',
      {
        kind: 'cluster',
        nodes: [
          { host: 'a', port: 1 },
          { host: 'b', port: 6379 },
        ],
      },
    ],
    ['unix:///tmp/a%20b.sock?db=1', { kind: 'server', nodes: [], path: '/tmp/a b.sock', database: 1 }],
  ])('is read by RFC 3986: %s', (url, target) => {
    expect(parseRedisUrl(url)).toMatchObject(target);
  });

  it.each([
    '',
    'redis:',
    'redis://',
    'redis://h:99999',
    'redis://h:x',
    'redis://h/x',
    'redis://h/1/2',
    'redis://h/1?a=b',
    'redis://a,b',
    'redis://a b',
    'redis://u:%zz@h',
    'redis://u:p@q@h',
    'redis+sentinel://a',
    'redis+sentinel://a/',
    'redis+sentinel://a/m/x',
    'redis+cluster://a/1',
    'unix://relative',
    'unix:///path?db=x',
    'http://h',
  ])('is refused where it is none: %j', (url) => {
    expect(() => parseRedisUrl(url)).toThrow(/"url" is .*; allowed: /);
  });
});
