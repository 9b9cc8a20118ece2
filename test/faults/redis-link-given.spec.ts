import { createClient as createClient5, createClientPool } from '@redis/client';
import { createClient as createClient4 } from 'redis';
import { createClient as createClient6 } from 'redis-6';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../libs/caching/src/cache/clock.js';
import { CachingConfigError } from '../../libs/caching/src/caching.errors.js';
import {
  createRedisLink,
  type RedisConnection,
} from '../../libs/caching/src/stores/redis/create-redis-link.js';
import type { RedisLink } from '../../libs/caching/src/stores/redis/redis-link.js';
import { poll } from '../support/redis/poll.js';
import { type RedisServer, startRedis } from '../support/redis/redis-server.js';

interface GivenOptions {
  readonly url: string;
  readonly database: number;
  readonly name: string;
}

const OPTIONS = { clock: systemClock, timeout: 1_000, onError: () => undefined };

describe('what the link to Redis is given', () => {
  let redis: RedisServer;
  let link: RedisLink | undefined;

  beforeAll(async () => {
    redis = await startRedis({ requirepass: 'p@ss/wörd:%' });
  });

  afterEach(async () => {
    await link?.close();
    link = undefined;
  });

  afterAll(() => redis.close());

  async function open(connection: RedisConnection): Promise<RedisLink> {
    const opened = createRedisLink(connection, OPTIONS);
    link = opened;
    const ready = new Promise<void>((resolve) => opened.onReady(resolve));
    opened.open();
    await ready;
    return opened;
  }

  it.each([
    ['node-redis 4', (options: GivenOptions) => createClient4(options)],
    ['node-redis 5', (options: GivenOptions) => createClient5(options)],
    ['node-redis 6', (options: GivenOptions) => createClient6(options)],
  ] as const)(
    'is used for its options, and a client of %s is neither closed nor used',
    async (_name, make) => {
      const client = make({ url: redis.url, database: 3, name: 'given' });
      await client.connect();
      const opened = await open({ client });
      const info = String(await opened.send('k', ['CLIENT', 'INFO']));
      expect(info).toMatch(/ name=given /);
      expect(info).toMatch(/ db=3 /);
      const own = (await client.sendCommand(['CLIENT', 'ID'])) as number;
      expect(info).not.toMatch(new RegExp(`^id=${own} `));
      await opened.close();
      expect(await client.sendCommand(['PING'])).toBe('PONG');
      await client.disconnect();
    },
  );

  it('does not let a client end the process that has no error listener of its own', async () => {
    const other = await startRedis();
    const client = createClient5({ url: other.url, socket: { reconnectStrategy: false } });
    await client.connect();
    createRedisLink({ client }, OPTIONS);
    await other.kill();
    await poll('the client to notice', async () => !client.isOpen || undefined);
    expect(client.listenerCount('error')).toBe(1);
    await other.close();
  });

  it('takes credentials that are percent-encoded, and a database, from a URL', async () => {
    const opened = await open({ url: `${redis.url}/5` });
    expect(String(await opened.send('k', ['CLIENT', 'INFO']))).toMatch(/ db=5 /);
  });

  it('says what a client may be, for anything else', () => {
    for (const client of [{}, 'redis://localhost', null, { client: {} }, createClientPool()])
      expect(() => createRedisLink({ client } as never, OPTIONS)).toThrow(
        /redis\(\): option "client" is .*; allowed: a client, cluster or sentinel of node-redis 4, 5 or 6/,
      );
  });

  it('asks for either a URL or a client', () => {
    const client = createClient5();
    for (const wrong of [{}, { url: 'redis://localhost', client }])
      expect(() => createRedisLink(wrong as never, OPTIONS)).toThrow('allowed: either url or client');
  });

  it.each([
    'http://user:secret@localhost',
    'redis://user:secret@localhost/not-a-database',
    'redis://user:secret%@localhost',
    'user:secret@localhost',
  ])('refuses %s and does not show the password', (url) => {
    const refuse = () => createRedisLink({ url }, OPTIONS);
    expect(refuse).toThrow(CachingConfigError);
    expect(refuse).not.toThrow(/secret/);
  });
});
