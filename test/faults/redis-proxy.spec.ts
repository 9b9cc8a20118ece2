import { once } from 'node:events';
import { connect } from 'node:net';
import { createClient } from '@redis/client';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type FaultProxy, startFaultProxy } from '../support/redis/fault-proxy.js';
import { poll } from '../support/redis/poll.js';
import { redisCommand } from '../support/redis/redis-command.js';
import { type RedisServer, startRedis } from '../support/redis/redis-server.js';

const LONG_VALUE = 'x'.repeat(100_000);

describe('A proxy before a Redis', () => {
  let redis: RedisServer;
  let proxy: FaultProxy;

  beforeAll(async () => {
    redis = await startRedis();
    proxy = await startFaultProxy(redis);
    await redis.command('SET', 'short', 'value');
    await redis.command('SET', 'long', LONG_VALUE);
  });
  beforeEach(() => proxy.pass());
  afterAll(async () => {
    await proxy.close();
    await redis.close();
  });

  async function openClient() {
    const client = createClient({
      url: proxy.url,
      disableOfflineQueue: true,
      socket: { reconnectStrategy: false },
    });
    client.on('error', () => undefined);
    onTestFinished(() => {
      if (client.isOpen) client.destroy();
    });
    return client.connect();
  }

  async function timed<T>(work: Promise<T>) {
    const start = performance.now();
    const value = await work;
    return { value, ms: performance.now() - start };
  }

  it('forwards commands and replies of any length', async () => {
    const client = await openClient();
    expect(await client.get('long')).toBe(LONG_VALUE);
    await client.set('longer', LONG_VALUE.repeat(20));
    expect(await client.strLen('longer')).toBe(2_000_000);
  });

  it('holds open and new connections, and lets all that it held go on', async () => {
    const client = await openClient();
    proxy.hold();
    const held = client.get('short');
    await expect(redisCommand(proxy.url, ['PING'], 100)).rejects.toThrow('not answered in 100 ms');
    await proxy.pass();
    expect(await held).toBe('value');
  });

  it('delays each reply, and replies that are on their way together only once', async () => {
    const client = await openClient();
    proxy.delay(300);
    const { value, ms } = await timed(Promise.all(Array.from({ length: 20 }, () => client.get('short'))));
    expect(new Set(value)).toEqual(new Set(['value']));
    expect(ms).toBeGreaterThanOrEqual(299);
    expect(ms).toBeLessThan(600);
  });

  it('keeps the order of replies when a delay ends', async () => {
    const client = await openClient();
    proxy.delay(200);
    const slow = timed(client.echo('slow'));
    await poll('the command', async () =>
      (await redis.info('commandstats', 'cmdstat_echo')) ? true : undefined,
    );
    // One turn of the loop later the proxy has read the reply.
    await redis.command('PING');
    await proxy.pass();
    const quick = timed(client.echo('quick'));
    expect((await slow).ms).toBeGreaterThanOrEqual(199);
    expect((await quick).ms).toBeGreaterThanOrEqual(100);
  });

  it('resets a connection within a longer reply, and lets shorter ones pass', async () => {
    const client = await openClient();
    proxy.cut(1_000);
    expect(await client.get('short')).toBe('value');
    await expect(client.get('long')).rejects.toThrow(/closed|ECONNRESET/);
  });

  it('answers garbage', async () => {
    proxy.garbage();
    const socket = connect(proxy.port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.write('*1\r\n$4\r\nPING\r\n');
    const [answer] = await once(socket, 'data');
    expect(String(answer)).not.toMatch(/^[+$]/);
  });

  it.each([
    'LOADING Redis is loading the dataset in memory',
    "READONLY You can't write against a read only replica.",
    'NOAUTH Authentication required.',
    "OOM command not allowed when used memory > 'maxmemory'.",
  ])('answers %s to the commands that were named, in their turn', async (refusal) => {
    const client = await openClient();
    proxy.answer(['SET'], refusal);
    const replies = await Promise.allSettled([
      client.get('short'),
      client.set('short', 'other'),
      client.get('short'),
    ]);
    expect(
      replies.map((reply) => (reply.status === 'fulfilled' ? reply.value : String(reply.reason.message))),
    ).toEqual(['value', refusal, 'value']);
  });

  it('refuses connections, and takes them again on the same port', async () => {
    const client = await openClient();
    await proxy.refuse();
    await expect(client.get('short')).rejects.toThrow(/ECONNRESET|closed/);
    await expect(redisCommand(proxy.url, ['PING'])).rejects.toThrow('ECONNREFUSED');
    await proxy.pass();
    expect(await redisCommand(proxy.url, ['PING'])).toBe('PONG');
  });

  it('refuses what its Redis refuses', async () => {
    const down = await startRedis();
    const before = await startFaultProxy(down);
    onTestFinished(() => before.close());
    await down.close();
    await expect(redisCommand(before.url, ['PING'])).rejects.toThrow(/ECONNRESET|closed/);
  });
});
